"""Priors: densities against SciPy, their change of variables, and overrides."""

import math

import numpy as np
import pytest
from scipy import stats

from levy_numerics import models
from levy_numerics.distributions import (
    DISTRIBUTIONS,
    Distribution,
    Gamma,
    HalfNormal,
    LogNormal,
    Normal,
    Uniform,
    distribution,
)
from levy_numerics.errors import InvalidInputError, InvalidParameterError
from levy_numerics.inference.priors import Priors
from levy_numerics.models import CGMY, VarianceGamma

PAIRS = [
    (Normal(-0.2, 0.3), stats.norm(-0.2, 0.3)),
    (LogNormal(-1.6, 0.5), stats.lognorm(0.5, 0.0, math.exp(-1.6))),
    (LogNormal(1.0, 0.7, loc=1.0), stats.lognorm(0.7, 1.0, math.exp(1.0))),
    (Gamma(2.0, 2.0), stats.gamma(2.0, scale=0.5)),
    (HalfNormal(0.3, loc=0.1), stats.halfnorm(0.1, 0.3)),
    (Uniform(-1.0, 3.0), stats.uniform(-1.0, 4.0)),
]


@pytest.mark.parametrize(("ours", "reference"), PAIRS, ids=lambda pair: type(pair).__name__)
def test_densities_and_draws_are_those_of_scipy(
    ours: Distribution, reference: stats.rv_continuous
) -> None:
    x = np.linspace(-2.0, 5.0, 41)
    np.testing.assert_allclose(ours.log_density(x), reference.logpdf(x), rtol=1e-12, atol=1e-12)
    drawn = ours.sample(np.random.default_rng(3), 4000)
    assert stats.kstest(drawn, reference.cdf).pvalue > 1e-3


@pytest.mark.parametrize("kind", DISTRIBUTIONS.values(), ids=lambda kind: kind.name)
def test_a_distribution_is_rebuilt_from_its_mapping(kind: type[Distribution]) -> None:
    (made,) = (ours for ours, _ in PAIRS if type(ours) is kind and getattr(ours, "loc", 0) != 1)
    assert distribution(made.as_mapping()) == made


def test_beyond_is_a_deprecated_name_of_loc() -> None:
    specification = {"distribution": "half_normal", "sigma": 0.3, "beyond": 0.1}
    assert distribution(specification) == HalfNormal(0.3, loc=0.1)


@pytest.mark.parametrize(
    ("described", "complaint"),
    [
        ({"distribution": "cauchy"}, "unknown distribution"),
        ({"mu": 0.0, "sigma": 1.0}, "unknown distribution"),
        ({"distribution": "normal", "mu": 0.0}, "requires mu, sigma"),
        ({"distribution": "normal", "mu": 0.0, "sd": 1.0}, "not sd"),
        ({"distribution": "normal", "mu": 0.0, "sigma": 0.0}, "positive"),
        ({"distribution": "normal", "mu": math.nan, "sigma": 1.0}, "finite"),
        ({"distribution": "normal", "mu": True, "sigma": 1.0}, "number"),
        ({"distribution": "uniform", "low": 2.0, "high": 1.0}, "less than"),
    ],
)
def test_an_invalid_specification_is_rejected(described: dict[str, object], complaint: str) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        distribution(described)


def test_priors_of_variance_gamma_are_the_documented_ones() -> None:
    chosen = dict(Priors.default(VarianceGamma).by_parameter)
    assert chosen == {
        "sigma": LogNormal(math.log(0.2), 0.5),
        "nu": Gamma(2.0, 2.0),
        "theta": Normal(-0.2, 0.2),
    }
    sato = Priors.default(models.get("VarianceGammaSato")).by_parameter
    assert {name: sato[name] for name in chosen} == chosen


def test_a_prior_that_is_not_declared_has_the_typical_range_within_two_deviations() -> None:
    nig = Priors.default(models.get("NIG")).by_parameter
    ranges = {p.name: p.typical_range for p in models.get("NIG").parameters()}
    low, high = ranges["beta"]
    assert nig["beta"] == Normal(-5.0, (high - low) / 4.0)
    low, high = ranges["delta"]
    assert nig["delta"] == LogNormal(math.log(0.5), math.log(high / low) / 4.0)
    # Upward jumps of Kou have a finite mean only above a rate of one.
    assert Priors.default(models.get("Kou")).by_parameter["eta1"].support == (1.0, math.inf)


@pytest.mark.parametrize("name", ["VarianceGamma", "CGMY", "CGMYSato"])
def test_declared_priors_give_realistic_volatilities(name: str) -> None:
    batch = Priors.default(models.get(name)).sample(np.random.default_rng(4), 4000)
    variance = np.asarray(batch.expanded(1).cumulants(np.array([1.0]))[1])[:, 0]
    low, middle, high = np.quantile(np.sqrt(variance), (0.025, 0.5, 0.975))
    assert 0.03 < low < 0.15
    assert 0.2 < middle < 0.4
    assert 0.6 < high < 2.0


@pytest.mark.parametrize("name", models.names())
def test_draws_from_every_default_are_admissible_and_have_a_density(name: str) -> None:
    priors = Priors.default(models.get(name))
    batch = priors.sample(np.random.default_rng(11), 64)
    assert np.isfinite(priors.log_density(batch)).all()
    for k in range(64):
        batch.select(k).check()


@pytest.mark.parametrize("name", models.names())
def test_the_volume_element_is_the_determinant_of_differences(name: str) -> None:
    priors = Priors.default(models.get(name))
    z = np.array(models.get(name).example().to_coordinates(), dtype=float) + 0.01
    h = 1e-5
    columns = []
    for j in range(z.size):
        step = h * np.eye(z.size)[j]
        ends = [priors.model_type.from_coordinates(z + sign * step) for sign in (1.0, -1.0)]
        up, down = ([getattr(end, p) for p in priors.by_parameter] for end in ends)
        columns.append((np.array(up) - np.array(down)) / (2.0 * h))
    expected = np.linalg.slogdet(np.array(columns).T)[1]
    assert priors.log_volume_at(z) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["CGMY", "VarianceGammaCIR"])
def test_jax_and_numpy_give_the_same_density_one_by_one_and_in_a_batch(name: str) -> None:
    jax = pytest.importorskip("jax")
    priors = Priors.default(models.get(name))
    centre = np.array(models.get(name).example().to_coordinates(), dtype=float)
    z = centre[:, None] + 0.1 * np.random.default_rng(5).standard_normal((centre.size, 4))
    expected = priors.log_density_at(z)
    with jax.enable_x64(True):
        found = jax.jit(priors.log_density_at)(jax.numpy.asarray(z))
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        slope = jax.jit(jax.grad(priors.log_density_at))(jax.numpy.asarray(z[:, 0]))
        assert np.isfinite(slope).all()
    assert expected[0] == pytest.approx(float(priors.log_density_at(z[:, 0])), rel=1e-12)


def test_a_density_in_coordinates_integrates_to_one() -> None:
    priors = Priors.default(models.get("BlackScholes"))
    z = np.linspace(-25.0, 20.0, 20_001)[None]
    assert np.trapezoid(np.exp(priors.log_density_at(z)), z[0]) == pytest.approx(1.0, abs=1e-8)


def test_priors_are_overridden_by_name_and_only_where_they_meet_the_domain() -> None:
    priors = Priors.default(CGMY)
    tight = {"distribution": "normal", "mu": 0.5, "sigma": 0.1}
    assert priors.with_overrides({"Y": tight}).by_parameter["Y"] == Normal(0.5, 0.1)
    with pytest.raises(
        InvalidParameterError,
        match="CGMY has no parameter 'nu' to sample; give priors for C, G, M, Y",
    ):
        priors.with_overrides({"nu": tight})
    with pytest.raises(InvalidParameterError, match="M > 1"):
        priors.with_overrides({"M": {"distribution": "uniform", "low": 0.0, "high": 0.9}})
