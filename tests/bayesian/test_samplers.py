"""Draws of every engine against the posterior by quadrature."""

import math
import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby

import numpy as np
import pytest

from levy_bayesian.engines import installed
from levy_bayesian.progress import Progress
from levy_numerics import pricing
from levy_numerics.errors import InvalidInputError, UnsupportedError
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.priors import Priors
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import BlackScholes, VarianceGamma
from levy_numerics.pricing.sinh import SinhPricer

jax = pytest.importorskip("jax")
samplers = pytest.importorskip("levy_bayesian.samplers")

PLAN = samplers.SamplingPlan(n_chains=2, n_samples=1000, n_warmup=300, seed=1)
NOISE = 1e-3
STAGES = {
    "numpyro-nuts": ["compiling", "warmup", "sampling"],
    "numpyro-svi": ["compiling", "fitting", "sampling"],
    "pymc-advi": ["compiling", "fitting", "sampling"],
    "laplace-psis": ["sampling"],
}


@pytest.fixture(autouse=True)
def doubles() -> Iterator[None]:
    # Set for all threads, since chains run in threads.
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def noisy_quotes(*strikes: float) -> Quotes:
    strikes = strikes or (90.0, 100.0, 110.0)
    contracts = Contracts.grid(
        spot=100.0, rate=0.02, dividend_yield=0.0, strikes=strikes, maturities=[0.5]
    )
    exact = pricing.price(BlackScholes(sigma=0.2), contracts).value
    errors = NOISE * 100.0 * np.random.default_rng(2).standard_normal(exact.size)
    return Quotes.of(contracts, exact + errors)


def by_quadrature(posterior: Posterior) -> tuple[float, float]:
    """Return mean and standard deviation of σ."""
    z = np.log(np.linspace(0.1, 0.3, 20_001))[None] * 2.0
    log_density = posterior.log_density(z, SinhPricer(posterior.quotes.contracts))
    sigma = posterior.model_type.from_coordinates(z).sigma
    weight = np.exp(log_density - log_density.max()) * np.gradient(z[0])
    weight /= weight.sum()
    mean = float(weight @ sigma)
    return mean, math.sqrt(float(weight @ (sigma - mean) ** 2))


@pytest.mark.long
def test_pymc_nuts_samples_surfaces_of_one_padded_size_by_one_program() -> None:
    pymc_nuts = pytest.importorskip("levy_bayesian.samplers.pymc_nuts")
    pymc_nuts._compiled_model.cache_clear()
    for strikes in ((90.0, 100.0, 110.0), (92.0, 96.0, 103.0, 107.0)):
        posterior = Posterior.of(noisy_quotes(*strikes), Priors.default(BlackScholes), noise=NOISE)
        draws = samplers.get("pymc-nuts").sample(posterior, PLAN, lambda _: None)
        sigma = BlackScholes.from_coordinates(np.moveaxis(draws.points, -1, 0)).sigma
        mean, deviation = by_quadrature(posterior)
        assert sigma.mean() == pytest.approx(mean, abs=0.15 * deviation)
    programs = pymc_nuts._compiled_model.cache_info()
    assert (programs.misses, programs.hits) == (1, 1)


@pytest.mark.parametrize(
    ("name", "degrees"),
    [
        *(pytest.param(name, math.inf, marks=pytest.mark.long) for name in samplers.names()),
        ("numpyro-nuts", 4.0),
        ("laplace-psis", 4.0),
    ],
)
def test_one_parameter_has_the_posterior_that_quadrature_gives(name: str, degrees: float) -> None:
    posterior = Posterior.of(
        noisy_quotes(), Priors.default(BlackScholes), noise=NOISE, degrees_of_freedom=degrees
    )
    reports: list[Progress] = []
    draws = samplers.get(name).sample(posterior, PLAN, reports.append)
    mean, deviation = by_quadrature(posterior)
    sigma = BlackScholes.from_coordinates(np.moveaxis(draws.points, -1, 0)).sigma
    assert draws.points.shape == (2, 1000, 1)
    assert sigma.mean() == pytest.approx(mean, abs=0.15 * deviation)
    assert sigma.std() == pytest.approx(deviation, rel=0.1)
    shares = [one.share for one in reports]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert draws.n_divergences == 0
    assert draws.price_error < 1e-2


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("numpyro-nuts", {"draws", "r_hat", "divergences", "acceptance_rate", "step_size"}),
        pytest.param("numpyro-svi", {"elbo", "pareto_k"}, marks=pytest.mark.long),
        pytest.param("pymc-advi", {"elbo", "pareto_k"}, marks=pytest.mark.long),
        ("laplace-psis", {"pareto_k"}),
    ],
)
def test_each_engine_reports_diagnostics(name: str, members: set[str]) -> None:
    posterior = Posterior.of(noisy_quotes(), Priors.default(BlackScholes), noise=NOISE)
    reports: list[Progress] = []
    samplers.get(name).sample(posterior, PLAN, reports.append)
    seen = [one.diagnostics for one in reports if one.diagnostics is not None]
    said = {member for one in seen for member, value in one if value is not None}
    assert said == members
    stages = [stage for stage, _ in groupby(one.stage for one in reports)]
    assert stages == STAGES[name]
    assert all(0.0 <= (one.stage_share or 0.0) <= 1.0 for one in reports)
    if "draws" in members:
        last = seen[-1]
        assert last.draws == PLAN.n_chains * PLAN.n_samples
        assert last.r_hat == pytest.approx(1.0, abs=0.05)
        assert last.acceptance_rate == pytest.approx(0.9, abs=0.1)
        counts = [one.draws or 0 for one in seen]
        assert counts == sorted(counts)
        assert counts[0] == 0  # reports during warm-up
    if "elbo" in members:
        first, *_, last_bound = (one.elbo for one in seen if one.elbo is not None)
        assert last_bound > first - 1.0


@pytest.mark.parametrize("name", samplers.names())
def test_a_progress_callback_can_stop_sampling(name: str) -> None:
    class EnoughError(Exception):
        pass

    def enough(progress: Progress) -> None:
        if progress.share > 0.0:
            raise EnoughError

    posterior = Posterior.of(noisy_quotes(), Priors.default(BlackScholes), noise=NOISE)
    with pytest.raises(EnoughError):
        samplers.get(name).sample(posterior, PLAN, enough)


@pytest.mark.long
def test_engines_that_share_no_code_agree() -> None:
    contracts = Contracts.grid(
        spot=100.0,
        rate=0.02,
        dividend_yield=0.0,
        strikes=np.linspace(80.0, 120.0, 9),
        maturities=[0.25, 1.0],
    )
    exact = pricing.price(VarianceGamma(sigma=0.2, nu=0.3, theta=-0.15), contracts).value
    quotes = Quotes.of(contracts, exact + 0.01 * np.random.default_rng(5).standard_normal(18))
    posterior = Posterior.of(quotes, Priors.default(VarianceGamma))
    plan = samplers.SamplingPlan(n_chains=2, n_samples=1000, n_warmup=300, seed=3)
    found = {
        name: samplers.get(name).sample(posterior, plan, lambda _: None).points
        for name in ("numpyro-nuts", "pymc-nuts", "laplace-psis")
    }
    reference = found.pop("numpyro-nuts").reshape(-1, 4)
    for name, points in found.items():
        points = points.reshape(-1, 4)
        # At least 600 independent draws each: five standard errors of their difference.
        off = np.abs(points.mean(axis=0) - reference.mean(axis=0)) / reference.std(axis=0)
        assert off.max() < 5.0 * math.sqrt(2.0 / 600.0), name
        # A standard deviation has a larger error if tails are heavier than normal.
        np.testing.assert_allclose(points.std(axis=0) / reference.std(axis=0), 1.0, atol=0.3)


@pytest.mark.long
def test_numpyro_and_pymc_agree_within_their_monte_carlo_errors() -> None:
    arviz = pytest.importorskip("arviz")
    posterior = Posterior.of(noisy_quotes(), Priors.default(BlackScholes), noise=NOISE)
    plan = samplers.SamplingPlan(n_chains=4, n_samples=2000, n_warmup=500, seed=8)
    one, other = (
        samplers.get(name).sample(posterior, plan, lambda _: None).points[..., 0]
        for name in ("numpyro-nuts", "pymc-nuts")
    )
    # Differences of means, and of standard deviations of a normal, in standard deviations.
    for method, of, least in (("mean", np.mean, 1.0), ("sd", np.std, 2.0)):
        sizes = [float(np.ravel(arviz.ess(chains, method=method))[0]) for chains in (one, other)]
        error = float(np.std(one)) * math.sqrt(sum(1.0 / (least * size) for size in sizes))
        assert abs(of(one) - of(other)) < 4.0 * error
        # At most 0.05 standard deviations.
        assert error < 0.05 * np.std(one)


def test_engines_are_imported_on_first_use() -> None:
    script = (
        "import sys; import levy_bayesian.samplers, levy_bayesian.handlers.sample; "
        "sys.exit(bool({'numpyro', 'pymc', 'nutpie', 'pytensor', 'jax'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_engines_without_their_packages_are_rejected_with_the_name_of_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("levy_bayesian.engines.find_spec", lambda name: None)
    # Other tests may have imported the engine before.
    for name in ("pymc-nuts", "pymc-advi"):
        monkeypatch.delitem(samplers.sampler._SAMPLERS, name, raising=False)
    assert installed() == ("numpyro-nuts", "numpyro-svi", "laplace-psis")
    with pytest.raises(UnsupportedError, match=r"pymc-nuts is not installed.*\[bayesian,pymc\]"):
        samplers.get("pymc-nuts")
    assert samplers.get("laplace-psis").name == "laplace-psis"


def test_an_unknown_engine_is_rejected_by_name() -> None:
    with pytest.raises(InvalidInputError, match="numpyro-nuts"):
        samplers.get("crystal-ball")
