"""Posterior summaries against quadrature, and convergence verdicts."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import norm

from levy_bayesian.summary import Summary, inference_data, parameter_draws, summarise
from levy_numerics import pricing
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.priors import Priors
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import BlackScholes, VarianceGammaCIR
from levy_numerics.pricing.sinh import SinhPricer
from tests.benchmarks.posteriors import standard_posterior

jax = pytest.importorskip("jax")
samplers = pytest.importorskip("levy_bayesian.samplers")

NOISE = 1e-3
N_CHAINS, N_SAMPLES = 4, 2500


def black_scholes(strikes: Sequence[float] = (90.0, 100.0, 110.0), **options: Any) -> Posterior:
    contracts = Contracts.grid(
        spot=100.0, rate=0.02, dividend_yield=0.0, strikes=strikes, maturities=[0.5]
    )
    exact = pricing.price(BlackScholes(sigma=0.2), contracts).value
    errors = NOISE * 100.0 * np.random.default_rng(2).standard_normal(exact.size)
    return Posterior.of(
        Quotes.of(contracts, exact + errors),
        Priors.default(BlackScholes),
        **({"noise": NOISE} | options),
    )


def by_quadrature(posterior: Posterior) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a fine grid of coordinates, σ on it, and the posterior's distribution function."""
    z = np.log(np.linspace(0.1, 0.3, 20_001))[None] * 2.0
    log_density = posterior.log_density(z, SinhPricer(posterior.quotes.contracts))
    weight = np.exp(log_density - log_density.max()) * np.gradient(z[0])
    sigma = posterior.model_type.from_coordinates(z).sigma
    return z[0], np.asarray(sigma), np.cumsum(weight) / weight.sum()


def exact_draws(posterior: Posterior, **statistics: Any) -> Any:
    """Return independent draws by inverting the distribution function."""
    z, _, cumulated = by_quadrature(posterior)
    u = np.random.default_rng(1).random((N_CHAINS, N_SAMPLES))
    return samplers.Draws(np.interp(u, cumulated, z)[..., None], **statistics)


def changed(draws: Any, fault: str) -> Any:
    n_chains, n_samples, _ = draws.points.shape
    diverging = np.zeros((n_chains, n_samples), dtype=bool)
    diverging[1, 7] = True
    away = draws.points.copy()
    away[0] += 0.05
    nearly = draws.points.copy()
    # A shift of one of four chains by 0.4 deviations makes R-hat √(1 + 0.4²/4) = 1.02.
    nearly[0] += 0.4 * nearly.std()
    return {
        "chains that disagree": replace(draws, points=away),
        "chains that hardly disagree": replace(draws, points=nearly),
        "chains that never moved": replace(draws, points=np.full_like(draws.points, -3.2)),
        "one chain": replace(draws, points=draws.points[:1]),
        "few draws": replace(draws, points=draws.points[:, :100]),
        "a divergence": replace(draws, statistics={"diverging": diverging}),
        "rough prices": replace(draws, price_error=0.02),
        "no price error": replace(draws, price_error=math.nan),
        "a heavy tail": replace(draws, pareto_k=0.71),
        "no tail": replace(draws, pareto_k=math.inf),
        "a heavy tail of few": replace(draws, pareto_k=0.68, n_weighted=1024),
        "a tail perhaps unseen": replace(
            draws, pareto_k=0.3, n_weighted=9216, adaptation_converged=False
        ),
    }[fault]


@pytest.mark.parametrize("degrees", [math.inf, 4.0])
def test_moments_and_intervals_are_those_of_quadrature(degrees: float) -> None:
    posterior = black_scholes(degrees_of_freedom=degrees)
    found = summarise(posterior, exact_draws(posterior)).parameters["sigma"]
    _, sigma, cumulated = by_quadrature(posterior)
    weight = np.diff(cumulated, prepend=0.0)
    mean = float(weight @ sigma)
    deviation = math.sqrt(float(weight @ (sigma - mean) ** 2))
    low, median, high = np.interp([0.025, 0.5, 0.975], cumulated, sigma)
    assert found.mean == pytest.approx(mean, abs=0.05 * deviation)
    assert found.sd == pytest.approx(deviation, rel=0.05)
    assert found.median == pytest.approx(median, abs=0.05 * deviation)
    assert found.interval == pytest.approx((low, high), abs=0.15 * deviation)
    n = N_CHAINS * N_SAMPLES
    assert found.r_hat == pytest.approx(1.0, abs=5e-3)
    assert found.ess_bulk == pytest.approx(n, rel=0.25)
    assert found.ess_tail == pytest.approx(n, rel=0.25)


def test_thinned_draws_are_rows_of_the_draws_evenly_spaced() -> None:
    posterior = black_scholes()
    draws = exact_draws(posterior)
    summary = summarise(posterior, draws)
    sigma = parameter_draws(posterior, draws.points)["sigma"].ravel()
    np.testing.assert_allclose(summary.thinned_draws["sigma"], sigma[::25], rtol=1e-5)


def test_the_tail_ess_is_that_of_the_5_and_95_percent_quantiles() -> None:
    # Vehtari et al. (2021), Bayesian Analysis 16(2), section 4.3. Quantiles of
    # autocorrelated draws differ in their effective sizes.
    posterior = black_scholes()
    noise = np.random.default_rng(3).standard_normal((N_CHAINS, N_SAMPLES))
    points = 2.0 * math.log(0.2) + 0.02 * lfilter([1.0], [1.0, -0.9], noise)[..., None]
    sigma = summarise(posterior, samplers.Draws(points)).parameters["sigma"]
    arviz = pytest.importorskip("arviz")
    sizes = [arviz.ess(points[..., 0], method="quantile", prob=p) for p in (0.05, 0.95)]
    assert sigma.ess_tail == pytest.approx(min(map(float, sizes)))


def test_a_small_tail_ess_is_a_failure_although_the_bulk_ess_is_large() -> None:
    posterior = black_scholes()
    draws = exact_draws(posterior)
    sticky = draws.points.copy()
    # The largest twentieth of each chain in runs of 15 draws: for their quantile, a run is hardly
    # more than one draw.
    for chain in sticky[..., 0]:
        largest = np.sort(chain)[-N_SAMPLES // 20 :]
        others = np.setdiff1d(chain, largest)
        runs = np.split(np.random.default_rng(5).permutation(largest)[:120], 8)
        others = np.random.default_rng(6).permutation(others)
        parts = np.array_split(others, 8)
        mixed = [part for pair in zip(parts, runs, strict=True) for part in pair]
        chain[:] = np.concatenate([*mixed, largest[120:]])
    found = summarise(posterior, replace(draws, points=sticky))
    assert not found.converged
    assert found.reason.startswith("tail ESS of sigma is ")


def test_predictive_intervals_are_those_of_price_and_error_together() -> None:
    posterior = black_scholes()
    found = summarise(posterior, exact_draws(posterior)).predictive
    z, _, cumulated = by_quadrature(posterior)
    some = np.interp((np.arange(2000) + 0.5) / 2000, cumulated, z)
    prices = SinhPricer(posterior.quotes.contracts).price(BlackScholes.from_coordinates(some[None]))
    spread = np.hypot(prices.value.std(axis=0), NOISE * posterior.scale)
    assert [one.strike for one in found] == [90.0, 100.0, 110.0]
    assert {one.maturity for one in found} == {0.5}
    for one, expected, s in zip(found, prices.value.mean(axis=0), spread, strict=True):
        assert one.mean == pytest.approx(expected, abs=0.1 * s)
        ends = (expected - 1.96 * s, expected + 1.96 * s)
        assert one.interval == pytest.approx(ends, abs=0.2 * s)


def test_heavy_tailed_errors_widen_what_is_predicted() -> None:
    posterior = black_scholes()
    draws = exact_draws(posterior)
    heavy = summarise(replace(posterior, degrees_of_freedom=4.0), draws).predictive
    for normal, wide in zip(summarise(posterior, draws).predictive, heavy, strict=True):
        assert wide.interval[0] < normal.interval[0]
        assert wide.interval[1] > normal.interval[1]


def test_draws_without_a_fault_have_converged() -> None:
    posterior = black_scholes()
    found = summarise(posterior, exact_draws(posterior))
    assert found.converged
    assert "R-hat is at most 1.00" in found.reason
    assert found.draws == N_CHAINS * N_SAMPLES
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("chains that disagree", "R-hat of sigma"),
        ("chains that hardly disagree", "R-hat of sigma is 1.0"),
        ("chains that never moved", "R-hat of sigma"),
        ("one chain", "two chains"),
        ("few draws", "ESS of sigma"),
        ("a divergence", "1 draws diverged"),
        ("rough prices", "0.02 of the noise"),
        ("no price error", "nan of the noise"),
        ("a heavy tail", "Pareto k is 0.71"),
        ("no tail", "Pareto k is inf"),
        ("a heavy tail of few", "Pareto k is 0.68, above 0.67"),
        ("a tail perhaps unseen", "did not converge"),
    ],
)
def test_each_fault_is_named(fault: str, said: str) -> None:
    posterior = black_scholes()
    found = summarise(posterior, changed(exact_draws(posterior), fault))
    assert not found.converged
    assert said in found.reason


def test_an_approximation_is_judged_by_its_tail_and_has_no_chains() -> None:
    posterior = black_scholes()
    draws = exact_draws(posterior, pareto_k=0.7, effective_sample_size=50.0)
    found: Summary = summarise(posterior, draws)
    sigma = found.parameters["sigma"]
    assert found.converged
    assert found.pareto_k == 0.7
    assert (sigma.r_hat, sigma.ess_bulk, sigma.ess_tail) == (None, None, None)
    assert "sample size is 50" in found.reason
    assert "only 50" in found.warnings[0]


def test_even_weights_do_not_converge_if_a_tail_was_missed() -> None:
    # Merton's rare jumps: k is 0.3 to 0.8, and intervals are off by up to half their width.
    posterior = standard_posterior("Merton")
    plan = samplers.SamplingPlan(n_chains=2, n_samples=500)
    found = summarise(posterior, samplers.get("laplace-psis").sample(posterior, plan, ignored))
    assert not found.converged
    assert "did not converge" in found.reason
    settled = standard_posterior("VarianceGamma")
    assert summarise(settled, samplers.get("laplace-psis").sample(settled, plan, ignored)).converged


def ignored(_standing: Any) -> None:
    pass


def test_correlations_are_those_of_the_parameters_and_the_noise() -> None:
    posterior = black_scholes(noise=None)
    rng = np.random.default_rng(3)
    z = -3.2 + 0.01 * rng.standard_normal((2, 500))
    points = np.stack([z, -7.0 + 60.0 * (z + 3.2)], axis=-1)
    found = summarise(posterior, samplers.Draws(points))
    values = parameter_draws(posterior, points)
    expected = np.corrcoef(values["sigma"].ravel(), values["noise"].ravel())[0, 1]
    assert found.correlations["sigma"]["noise"] == pytest.approx(expected, rel=1e-12)
    assert found.correlations["noise"]["noise"] == 1.0
    assert (expected > 0.99) == any("not separately identified" in one for one in found.warnings)


def test_inference_data_holds_draws_statistics_and_what_they_rest_on() -> None:
    posterior = black_scholes(noise=None)
    points = np.random.default_rng(0).normal((-3.2, -7.0), 0.01, (2, 50, 2))
    data = inference_data(posterior, samplers.Draws(points, {"n_steps": np.ones((2, 50))}))
    groups = {"posterior", "sample_stats", "observed_data", "constant_data"}
    assert set(data.children) == groups | {"log_likelihood", "posterior_predictive"}
    np.testing.assert_allclose(data.posterior["sigma"], np.exp(0.5 * points[..., 0]))
    np.testing.assert_allclose(data.posterior["noise"], posterior.noise_at(points.T).T)
    np.testing.assert_array_equal(data.observed_data["price"], posterior.quotes.price)
    np.testing.assert_array_equal(data.constant_data["strike"], [90.0, 100.0, 110.0])
    assert data.attrs["model_type"] == "BlackScholes"


def test_a_fixed_parameter_is_not_part_of_the_posterior() -> None:
    posterior = replace(black_scholes(), priors=Priors.default(VarianceGammaCIR))
    z = VarianceGammaCIR.example().to_coordinates()[: posterior.n_coordinates]
    data = inference_data(posterior, samplers.Draws(np.broadcast_to(z, (2, 50, len(z)))))
    fixed = {p.name for p in VarianceGammaCIR.parameters()} - set(data.posterior.data_vars)
    assert fixed
    assert fixed <= set(data.constant_data.data_vars)


def test_arviz_finds_the_density_of_quotes_left_out(tmp_path: Path) -> None:
    """PSIS of draws given all quotes, against quadrature given all but one."""
    from levy_bayesian.summary import _arviz

    posterior = black_scholes(strikes=range(86, 118, 2), weights="price")
    path = tmp_path / "draws.nc"
    # Before 1.0, ArviZ reads files as InferenceData, and does not accept a DataTree.
    inference_data(posterior, exact_draws(posterior)).to_netcdf(path, engine="h5netcdf")
    loo = _arviz().loo(_arviz().from_netcdf(path), pointwise=True, reff=1.0)
    # Renamed in 1.0.
    pointwise = loo.loo_i if hasattr(loo, "loo_i") else loo.elpd_i
    z, _, _ = by_quadrature(posterior)
    prices = SinhPricer(posterior.quotes.contracts).price(BlackScholes.from_coordinates(z[None]))
    unit = NOISE * posterior.scale
    log_density = norm.logpdf((posterior.quotes.price - prices.value) / unit) - np.log(unit)
    log_prior = posterior.priors.log_density_at(z[None])
    for i in range(posterior.quotes.size):
        others = log_prior + np.delete(log_density, i, axis=1).sum(axis=1)
        weight = np.exp(others - others.max()) * np.gradient(z)
        density = np.sum(weight * np.exp(log_density[:, i])) / weight.sum()
        assert float(pointwise[i]) == pytest.approx(math.log(density), abs=0.1)


def test_replicates_have_the_mean_and_deviation_of_predicted_quotes() -> None:
    posterior = black_scholes()
    draws = exact_draws(posterior)
    data = inference_data(posterior, draws)
    replicates = data.posterior_predictive["price"]
    assert dict(replicates.sizes) == {"chain": N_CHAINS, "draw": 250, "quote": 3}
    for predicted, quotes in zip(
        summarise(posterior, draws).predictive, replicates.to_numpy().reshape(-1, 3).T, strict=True
    ):
        deviation = (predicted.interval[1] - predicted.interval[0]) / (2 * 1.96)
        assert quotes.mean() == pytest.approx(predicted.mean, abs=0.15 * deviation)
        assert quotes.std() == pytest.approx(deviation, rel=0.1)


def test_values_of_each_quote_have_the_draws_of_their_coordinates() -> None:
    posterior = black_scholes()
    draws = exact_draws(posterior)
    data = inference_data(posterior, draws)
    kept = data.log_likelihood["draw"].to_numpy()
    assert (kept[0], kept[-1], len(kept)) == (0, N_SAMPLES - 1, 250)
    sigma = data.posterior["sigma"].sel(draw=kept).to_numpy()
    prices = SinhPricer(posterior.quotes.contracts).price(BlackScholes(sigma=sigma[1, 7])).value
    unit = NOISE * posterior.scale
    expected = norm.logpdf((posterior.quotes.price - prices) / unit) - np.log(unit)
    np.testing.assert_allclose(data.log_likelihood["price"][1, 7], expected, atol=1e-4)
