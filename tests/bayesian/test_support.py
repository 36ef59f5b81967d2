"""Priors that truncate a parameter's domain: the posterior lies inside their support.

The truncated posterior is that of the untruncated one, with draws outside the support rejected. The
least-squares optimum of these quotes, σ = 0.2002, is just above the support (0.001, 0.2).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from levy_bayesian.summary import Summary, summarise
from levy_numerics import models
from levy_numerics.calibration import calibrate
from levy_numerics.errors import InvalidInputError, InvalidParameterError
from levy_numerics.inference.adaptive_importance import importance_sample, weighted_quantiles
from levy_numerics.inference.bijectors import Support
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.priors import Priors
from levy_numerics.market import Contracts, Quotes

jax = pytest.importorskip("jax")
samplers = pytest.importorskip("levy_bayesian.samplers")

PRICES = [
    [12.09, 7.96, 4.44, 1.98, 0.88],
    [13.97, 10.19, 6.94, 4.36, 2.55],
    [17.24, 13.8, 10.75, 8.15, 6.0],
]
CONTRACTS = Contracts.grid(
    spot=100.0,
    rate=0.05,
    dividend_yield=0.0,
    strikes=[90.0, 95.0, 100.0, 105.0, 110.0],
    maturities=[0.25, 0.5, 1.0],
)
QUOTES = Quotes.of(CONTRACTS, np.ravel(PRICES))
TAILS = np.array([0.025, 0.5, 0.975])


@pytest.fixture(autouse=True)
def doubles() -> Iterator[None]:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def uniform(low: float, high: float) -> dict[str, Any]:
    return {"distribution": "uniform", "low": low, "high": high}


def posterior(model: str = "VarianceGamma", **priors: dict[str, Any]) -> Posterior:
    declared = Priors.default(models.get(model)).with_overrides(priors)
    return Posterior.of(QUOTES, declared, weights="price")


@pytest.fixture(scope="module")
def rejected() -> np.ndarray:
    """Quantiles of σ below 0.2, by rejection from the posterior with σ's untruncated prior.

    Weighted by the ratio of the priors, uniform over log-normal.
    """
    uncut = posterior()
    fit = calibrate(models.get("VarianceGamma"), QUOTES, weights="price").model
    draws = importance_sample(uncut, fit, n_draws=8192)
    sigma = np.asarray(draws.model.as_mapping()["sigma"])
    log_prior = uncut.priors.by_parameter["sigma"].log_density(sigma)
    weights = np.where((sigma > 0.001) & (sigma < 0.2), draws.weights * np.exp(-log_prior), 0.0)
    return weighted_quantiles(sigma, weights / weights.sum(), TAILS)


@pytest.mark.parametrize(
    "engine",
    [
        "laplace-psis",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in samplers.names()
            if name != "laplace-psis"
        ),
    ],
)
def test_a_prior_below_the_optimum_has_the_posterior_that_rejection_gives(
    engine: str, rejected: np.ndarray
) -> None:
    # So many that their quantiles are known to a third of the tolerance.
    plan = samplers.SamplingPlan(n_chains=2, n_samples=2000, n_warmup=300, seed=1)
    draws = samplers.get(engine).sample(
        posterior(sigma=uniform(0.001, 0.2)), plan, lambda _standing: None
    )
    points = np.moveaxis(draws.points, -1, 0)
    sigma = models.get("VarianceGamma").from_coordinates(points[:3]).as_mapping()["sigma"]
    assert 0.19 < sigma.min() <= sigma.max() < 0.2
    width = rejected[2] - rejected[0]
    np.testing.assert_allclose(np.quantile(sigma, TAILS), rejected, atol=0.1 * width)


@pytest.mark.parametrize(
    ("model", "parameter", "prior", "low", "high"),
    [
        ("VarianceGamma", "sigma", uniform(0.05, 0.15), 0.05, 0.15),
        ("VarianceGamma", "sigma", uniform(0.4, 0.5), 0.4, 0.5),
        ("VarianceGamma", "sigma", uniform(-2.0, 0.15), 0.0, 0.15),
        ("VarianceGamma", "theta", uniform(0.1, 0.5), 0.1, 0.5),
        (
            "VarianceGamma",
            "sigma",
            {"distribution": "lognormal", "mu": -3.0, "sigma": 1.0, "loc": 0.25},
            0.25,
            np.inf,
        ),
        (
            "VarianceGamma",
            "theta",
            {"distribution": "lognormal", "mu": -3.0, "sigma": 1.0, "loc": 0.1},
            0.1,
            np.inf,
        ),
        (
            "VarianceGamma",
            "nu",
            {"distribution": "gamma", "shape": 0.5, "rate": 2.0, "loc": 0.6},
            0.6,
            np.inf,
        ),
        ("NIG", "alpha", uniform(1.0, 5.0), 1.0, 5.0),
    ],
)
def test_draws_stay_in_a_support_far_from_the_optimum(
    model: str, parameter: str, prior: dict[str, Any], low: float, high: float
) -> None:
    cut = posterior(model, **{parameter: prior})
    fit = calibrate(models.get(model), QUOTES).model
    draws = importance_sample(cut, fit, n_adaptations=8)
    values = np.asarray(draws.model.as_mapping()[parameter])[draws.weights > 0.0]
    assert np.all((values >= low) & (values <= high))
    assert draws.pareto_k < 0.7


@pytest.mark.parametrize(
    ("model", "priors", "named"),
    [
        ("NIG", {"alpha": uniform(1.0, 2.0), "beta": uniform(5.0, 6.0)}, "alpha, beta"),
        ("VarianceGamma", {"sigma": uniform(6.0, 7.0)}, "sigma"),
        ("VarianceGamma", {"sigma": uniform(1e-9, 1e-8)}, "sigma"),
    ],
)
def test_a_support_that_the_model_does_not_meet_is_rejected_by_name(
    model: str, priors: dict[str, Any], named: str
) -> None:
    fit = calibrate(models.get(model), QUOTES).model
    with pytest.raises(InvalidParameterError) as caught:
        importance_sample(posterior(model, **priors), fit)
    assert caught.value.details["parameter"] == named
    assert all(f"{name} ~ Uniform" in caught.value.message for name in priors)
    assert caught.value.details["pointer"] == f"/priors/{next(iter(priors))}"


@pytest.mark.parametrize(
    "prior",
    [
        {"distribution": "gamma", "shape": 1e12, "rate": 1e-12},
        {"distribution": "gamma", "shape": 2.0, "rate": 1e-9},
        {"distribution": "gamma", "shape": 1e200, "rate": 1e-200},
        {"distribution": "lognormal", "mu": 500.0, "sigma": 0.01},
        {"distribution": "lognormal", "mu": 1000.0, "sigma": 0.01},
        {"distribution": "lognormal", "mu": -500.0, "sigma": 0.01},
        {"distribution": "normal", "mu": -5.0, "sigma": 0.001},
        {"distribution": "normal", "mu": 50.0, "sigma": 1.0},
        {"distribution": "half_normal", "sigma": 0.1, "loc": 10.0},
        uniform(1e-13, 1e-12),
    ],
)
def test_a_prior_without_mass_in_the_search_box_is_rejected_by_name(prior: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError, match=r"0\.003183 to 4\.953") as caught:
        posterior("BlackScholes", sigma=prior)
    assert caught.value.details["parameter"] == "sigma"
    assert caught.value.details["pointer"] == "/priors/sigma"


def test_only_the_prior_outside_the_search_box_is_blamed() -> None:
    with pytest.raises(InvalidParameterError) as caught:
        posterior(
            theta={"distribution": "normal", "mu": -0.1, "sigma": 0.1},
            sigma={"distribution": "normal", "mu": -5.0, "sigma": 0.001},
        )
    assert caught.value.details["parameter"] == "sigma"


def test_priors_that_meet_the_search_box_only_separately_are_rejected() -> None:
    with pytest.raises(InvalidParameterError, match="together") as caught:
        posterior(
            "NIG",
            alpha={"distribution": "normal", "mu": 1.5, "sigma": 0.01},
            beta={"distribution": "normal", "mu": 5.0, "sigma": 0.01},
        )
    assert caught.value.details["parameter"] == "alpha, beta"


def summary_of(uncertain: Posterior) -> Summary:
    plan = samplers.SamplingPlan(n_chains=1, n_samples=500, seed=1)
    draws = samplers.get("laplace-psis").sample(uncertain, plan, lambda _standing: None)
    return summarise(uncertain, draws)


@pytest.mark.parametrize(
    "prior",
    [uniform(0.0, 1e9), {"distribution": "half_normal", "sigma": 1e9}, uniform(0.001, 0.15)],
)
def test_a_vague_prior_or_one_that_cuts_inside_the_box_gives_a_posterior(
    prior: dict[str, Any],
) -> None:
    found = summary_of(posterior("BlackScholes", sigma=prior))
    assert found.converged, found.reason
    # The optimum is 0.2; the likelihood decreases below 0.15, so draws lie just below that.
    assert found.parameters["sigma"].median == pytest.approx(
        min(0.2, prior.get("high", 1)), rel=0.1
    )


def test_draws_that_pile_up_at_the_search_box_are_not_converged() -> None:
    # Mass in the box, P(σ < 4.953) = Φ(−2), but all of it at the upper edge.
    prior = {"distribution": "lognormal", "mu": 1.62, "sigma": 1e-2}
    found = summary_of(posterior("BlackScholes", sigma=prior))
    assert not found.converged
    assert "at the boundary of the search box of sigma" in found.reason


def test_a_support_without_width_is_rejected() -> None:
    with pytest.raises(InvalidInputError, match="nine digits"):
        posterior(sigma=uniform(0.2, 0.2 + 1e-12))


def test_the_volume_of_a_support_is_that_of_its_map() -> None:
    support = Support.of(
        Priors.default(models.get("VarianceGamma")).with_overrides({"sigma": uniform(0.1, 0.3)})
    )
    u = np.array([[0.3], [-1.0], [0.2], [5.0]])
    step = 1e-6
    columns = [
        (
            support.constrain(u + step * unit[:, None])[0]
            - support.constrain(u - step * unit[:, None])[0]
        )
        / (2.0 * step)
        for unit in np.eye(4)
    ]
    determinant = np.linalg.slogdet(np.concatenate(columns, axis=1))[1]
    assert support.constrain(u)[1][0] == pytest.approx(determinant, abs=1e-6)
    np.testing.assert_allclose(support.unconstrain(support.constrain(u)[0]), u, atol=1e-9)
