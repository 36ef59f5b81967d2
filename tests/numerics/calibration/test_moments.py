"""Moments of the log return agree with Taylor coefficients of log φ, by mpmath and differences."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest

from levy_numerics import models
from levy_numerics.calibration.moments import log_return_moments
from levy_numerics.models import Model

YEARS = np.array([0.05, 1.0, 3.0])


@pytest.mark.parametrize("name", models.names())
def test_derivatives_agree_with_central_differences(name: str) -> None:
    model = models.get(name).example()
    _, gradient = log_return_moments(model, YEARS)
    for j, (parameter, value) in enumerate(model.as_mapping().items()):
        step = 1e-5 * max(abs(value), 0.1)
        up, down = (
            log_return_moments(replace(model, **{parameter: value + moved}), YEARS)[0]  # type: ignore[type-var]
            for moved in (step, -step)
        )
        difference = (up - down) / (2.0 * step)
        assert gradient[:, :, j] == pytest.approx(difference, rel=2e-5, abs=1e-6)


def nig_exponent(z: mpmath.mpf, alpha: float, beta: float, delta: float) -> mpmath.mpf:
    """Return log E[exp(zX)] of one year (Barndorff-Nielsen, 1997)."""
    a, b = mpmath.mpf(alpha), mpmath.mpf(beta)
    return delta * (mpmath.sqrt(a**2 - b**2) - mpmath.sqrt(a**2 - (b + z) ** 2))


def test_values_and_derivatives_agree_with_mpmath(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpmath.mp, "dps", 40)
    truth = {"alpha": 15.0, "beta": -5.0, "delta": 0.5}
    at = [truth[name] for name in ("alpha", "beta", "delta")]
    values, gradient = log_return_moments(models.get("NIG")(**truth), np.array([0.25]))

    def standardised(*parameters: float) -> tuple[mpmath.mpf, ...]:
        taylor = mpmath.taylor(lambda z: nig_exponent(z, *parameters), 0, 4)
        second, third, fourth = (mpmath.factorial(n) * taylor[n] / 4 for n in (2, 3, 4))
        return second, third / second**1.5, fourth / second**2

    assert values[0] == pytest.approx([float(m) for m in standardised(*at)], rel=1e-12)
    for k in range(3):
        for j in range(3):
            slope = mpmath.diff(
                lambda p, j=j, k=k: standardised(*at[:j], p, *at[j + 1 :])[k], at[j]
            )
            assert gradient[0, k, j] == pytest.approx(float(slope), rel=1e-10)


def test_black_scholes_has_no_skewness_and_no_excess_kurtosis() -> None:
    values, _ = log_return_moments(models.BlackScholes(sigma=0.2), YEARS)
    np.testing.assert_allclose(values[:, 0], 0.04 * YEARS, rtol=1e-14)
    np.testing.assert_array_equal(values[:, 1:], 0.0)


@pytest.mark.parametrize("name", ["Kou", "NIGSato", "NIGCIR"])
def test_moments_are_those_of_draws(name: str) -> None:
    model: Model = models.get(name).example()
    draws = model.sample(np.random.default_rng(0), 1.0, 400_000)
    deviations = (draws - draws.mean()) / draws.std()
    ((variance, skewness, kurtosis),), _ = log_return_moments(model, np.ones(1))
    assert variance == pytest.approx(draws.var(), rel=0.02)
    assert skewness == pytest.approx(np.mean(deviations**3), abs=0.1)
    assert kurtosis == pytest.approx(np.mean(deviations**4) - 3.0, rel=0.15, abs=0.1)
