"""From a request to a summary and draws that ArviZ can read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from levy_bayesian.handlers.sample import Sampling, sample
from levy_bayesian.progress import Progress
from levy_numerics import models, pricing
from levy_numerics.black import black_price
from levy_numerics.errors import InvalidInputError, InvalidParameterError, UnknownModelError
from levy_numerics.market import Contracts
from levy_schemas.jobs import BayesianRequest, BayesianResult, result_bytes

jax = pytest.importorskip("jax")
pytest.importorskip("numpyro")
xarray = pytest.importorskip("xarray")

STRIKES = [80.0, 90.0, 95.0, 100.0, 105.0, 110.0, 120.0]
MATURITIES = [0.25, 0.5, 1.0]
UNIFORM = {"distribution": "uniform", "low": 0.0, "high": 1.0}
TRUE = {"sigma": 0.18, "nu": 0.3, "theta": -0.15}


@pytest.fixture(autouse=True)
def doubles() -> Iterator[None]:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def request(**changes: Any) -> BayesianRequest:
    """Return prices of Variance Gamma with errors of 1e-4 of the spot."""
    contracts = Contracts.grid(
        spot=100.0, rate=0.02, dividend_yield=0.0, strikes=STRIKES, maturities=MATURITIES
    )
    prices = pricing.price(models.from_mapping("VarianceGamma", TRUE), contracts).value
    prices = prices + 0.01 * np.random.default_rng(4).standard_normal(prices.size)
    return BayesianRequest.model_validate(
        {
            "spot_price": 100.0,
            "risk_free_rate": 0.02,
            "strikes": STRIKES,
            "maturities": MATURITIES,
            "prices": prices.reshape(len(MATURITIES), len(STRIKES)).tolist(),
            "model_type": "VarianceGamma",
            "engine": "laplace-psis",
            "weights": "price",
            "num_chains": 2,
            "num_samples": 1000,
        }
        | changes
    )


def test_a_job_recovers_the_parameters_and_keeps_draws_that_others_read(tmp_path: Path) -> None:
    reports: list[Progress] = []
    result, kept = sample(request(), reports.append)
    assert BayesianResult.model_validate_json(result.model_dump_json()) == result
    assert result.converged, result.reason
    assert set(result.parameters) == {*TRUE, "noise"}
    for name, value in TRUE.items():
        found = result.parameters[name]
        assert abs(found.mean - value) < 4.0 * found.sd
    assert result.parameters["noise"].interval[0] < 1e-4 < result.parameters["noise"].interval[1]
    assert len(result.predictive) == len(STRIKES) * len(MATURITIES)
    assert result.draws == 2000
    shares = [one.share for one in reports]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    # Pareto k is reported before the draws are summarised.
    assert result.pareto_k in [one.diagnostics.pareto_k for one in reports if one.diagnostics]

    path = tmp_path / "draws.nc"
    path.write_bytes(kept)
    with xarray.open_dataset(path, group="posterior", engine="h5netcdf") as posterior:
        # Resampled draws have no chains.
        assert posterior["sigma"].shape == (1, 2000)
        for name, found in result.parameters.items():
            assert float(posterior[name].mean()) == pytest.approx(found.mean, rel=1e-12)
    with xarray.open_dataset(path, group="observed_data", engine="h5netcdf") as observed:
        np.testing.assert_allclose(
            observed["price"], np.array(request().prices).ravel(), rtol=1e-15
        )


def test_draws_are_those_that_arviz_reads(tmp_path: Path) -> None:
    from levy_bayesian.summary import _arviz

    result, kept = sample(request(num_samples=200), lambda _: None)
    path = tmp_path / "draws.nc"
    path.write_bytes(kept)
    data = _arviz().from_netcdf(path)
    assert data.attrs["model_type"] == "VarianceGamma"
    assert data.attrs["engine"] == "laplace-psis"
    assert data.attrs["seed"] == 0
    assert data.attrs["pareto_k"] == result.pareto_k
    assert "importance resampling" in data.attrs["sampling_method"]
    assert data.attrs["numpy_version"] == np.__version__
    assert float(data.posterior["nu"].mean()) == pytest.approx(result.parameters["nu"].mean)
    assert "strike" in data.constant_data


def test_arviz_counts_no_more_draws_than_the_weights_are_worth(tmp_path: Path) -> None:
    """A draw chosen k times is a run of length k: ESS is N²/Σk², as for the weights."""
    from levy_bayesian.summary import _arviz

    _, kept = sample(request(num_chains=4, num_samples=5000), lambda _: None)
    path = tmp_path / "draws.nc"
    path.write_bytes(kept)
    data = _arviz().from_netcdf(path)
    weights = np.exp(data.weighted_draws["log_weight"].to_numpy())
    worth = data.attrs["effective_sample_size"]
    assert weights.sum() == pytest.approx(1.0)
    assert 1.0 / np.sum(weights**2) == pytest.approx(worth)
    for name in (*TRUE, "noise"):
        assert 0.5 * worth < float(_arviz().ess(data)[name]) < 1.5 * worth
        weighted = float(np.sum(weights * data.weighted_draws[name].to_numpy()))
        assert weighted == pytest.approx(float(data.posterior[name].mean()), rel=1e-3)


def test_results_are_not_larger_than_the_memory_that_is_reserved_for_them() -> None:
    asked = request(num_chains=4, num_samples=5000)
    _, kept = sample(asked, lambda _: None)
    assert len(kept) < result_bytes(asked) - 2**19


def test_a_prior_that_is_given_counts() -> None:
    # A third as wide as the likelihood, and two of its standard deviations away.
    prior = {"distribution": "normal", "mu": -0.16, "sigma": 1e-3}
    result, _ = sample(request(priors={"theta": prior}, likelihood="normal"), lambda _: None)
    theta = result.parameters["theta"]
    assert result.converged, result.reason
    assert theta.mean == pytest.approx(-0.1594, abs=1e-3)
    assert theta.sd < 1.2e-3


def test_the_requested_likelihood_is_used() -> None:
    assert Sampling.of(request(likelihood="student_t", weights="vega")) == Sampling(
        "VarianceGamma",
        "laplace-psis",
        num_chains=2,
        num_samples=1000,
        likelihood="student_t",
        weights="vega",
    )


def test_correlated_errors_are_the_default_and_widen_intervals() -> None:
    correlated, _ = sample(request(), lambda _: None)
    independent, _ = sample(request(likelihood="normal"), lambda _: None)
    assert (correlated.likelihood, independent.likelihood) == ("discrepancy", "normal")
    # Student's t with three degrees of freedom makes intervals 1.6 times as wide; 21 independent
    # errors do not exclude a correlation.
    for name in TRUE:
        ratio = correlated.parameters[name].sd / independent.parameters[name].sd
        assert 1.3 < ratio < 3.5
    assert correlated.misfit is not None
    assert not correlated.misfit.detected
    assert correlated.warnings == ()


def test_quotes_that_do_not_show_a_correlation_have_independent_errors() -> None:
    few: dict[str, Any] = {"strikes": STRIKES[1:6], "maturities": [0.5]}
    prices = [list(request().prices or ())[1][1:6]]
    result, _ = sample(request(prices=prices, **few), lambda _: None)
    assert result.likelihood == "normal"
    assert result.warnings[0].startswith("5 quotes do not show how errors are correlated")


def test_a_market_that_the_model_does_not_fit_is_reported_beside_convergence() -> None:
    smiles = [[0.30, 0.25, 0.225, 0.20, 0.19, 0.185, 0.19]] * 3
    contracts = Contracts.grid(
        spot=100.0, rate=0.02, dividend_yield=0.0, strikes=STRIKES, maturities=MATURITIES
    )
    prices = black_price(
        forward=contracts.forward,
        strike=contracts.strike,
        maturity_years=contracts.maturity_years,
        discount=contracts.discount,
        vol=np.ravel(smiles),
        is_call=contracts.is_call,
    )
    result, _ = sample(
        request(model_type="BlackScholes", prices=prices.reshape(3, 7).tolist()), lambda _: None
    )
    assert result.converged
    assert result.misfit is not None
    assert result.misfit.detected
    assert "the model misfits the quotes by" in result.warnings[0]


def test_dropped_quotes_are_reported() -> None:
    prices = [list(row) for row in request().prices or ()]
    prices[0][0] = 150.0
    result, _ = sample(request(prices=prices), lambda _: None)
    assert [one.reason for one in result.dropped] == ["above_maximum"]
    assert "1 quote was left out: 1 above_maximum" in result.warnings[0]
    assert len(result.predictive) == len(STRIKES) * len(MATURITIES) - 1


def test_a_progress_callback_can_stop_the_job() -> None:
    class EnoughError(Exception):
        pass

    def enough(progress: Progress) -> None:
        if progress.share > 0.0:
            raise EnoughError

    with pytest.raises(EnoughError):
        sample(request(), enough)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"model_type": "Nobody"}, UnknownModelError),
        ({"priors": {"G": UNIFORM}}, InvalidParameterError),
        ({"priors": {"nu": UNIFORM | {"low": -2.0, "high": -1.0}}}, InvalidParameterError),
        ({"strikes": [100.0], "maturities": [1.0], "prices": [[9.0]]}, InvalidInputError),
    ],
)
def test_what_cannot_be_sampled_is_rejected(changes: dict[str, Any], error: type) -> None:
    with pytest.raises(error):
        sample(request(**changes), lambda _: None)
