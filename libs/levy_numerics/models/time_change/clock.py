"""Integral of a CIR process: Y_T = ∫₀ᵀ y dt with dy = κ(η − y)dt + λ√y dW.

The log moment generating function, in a form without cancellation and without branch crossings:
with g = √(κ² − 2λ²s), E = 1 − exp(−gT), D = κ + g and w = λ²sE/(gD),

    log E[exp(sY_T)] = 2κηs·(T/D − E/(gD)·log(1 + w)/w) + y₀s·2E/(κE + g(2 − E)).

Only exp(−gT) with Re g > 0 occurs, so long maturities cannot overflow, and the limit λ → 0, a
deterministic time change, is exact.

References
----------
Cox, Ingersoll and Ross (1985), Econometrica 53(2), 385-407; Carr, Geman, Madan and Yor (2003),
Mathematical Finance 13(3), 345-382, section 2.1.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from levy_numerics.special import (
    array_namespace,
    exp_second_difference,
    log1p_ratio,
    log1p_ratio_complement,
    log1p_ratio_derivative,
)

_CIRCLE: Final = np.exp(2j * np.pi * np.arange(16) / 16)


@dataclass(frozen=True)
class _Terms:
    """Terms that value and derivatives share: exp(−gT), E, D, h = E/(gD), w, and the factors.

    `long_run` multiplies 2κηs; 2E/`denominator` multiplies y₀s.
    """

    g: Any
    decay: Any
    complement: Any
    sum: Any
    h: Any
    w: Any
    long_run: Any
    denominator: Any

    @classmethod
    def of(cls, s: Any, t: Any, kappa: Any, lam: Any) -> "_Terms":
        xp = array_namespace(s, t, kappa)
        g = xp.sqrt(kappa**2 - 2.0 * lam**2 * s + 0j)
        complement = -xp.expm1(-g * t)
        total = kappa + g
        h = complement / (g * total)
        w = lam**2 * s * h
        denominator = kappa * complement + g * (2.0 - complement)
        # T/D − h·log(1 + w)/w, whose leading terms cancel if gT or w is small.
        long_run = t * t * g / total * exp_second_difference(g * t) + h * log1p_ratio_complement(w)
        return cls(g, 1.0 - complement, complement, total, h, w, long_run, denominator)


def clock_log_mgf(s: Any, t: Any, kappa: Any, eta: Any, lam: Any, y0: Any) -> Any:
    """Return log E[exp(sY_T)] for complex s, on the branch continuous from s = 0."""
    x = _Terms.of(s, t, kappa, lam)
    return s * (2.0 * kappa * eta * x.long_run + y0 * 2.0 * x.complement / x.denominator)


def clock_gradient(
    s: Any, t: Any, kappa: Any, eta: Any, lam: Any, y0: Any
) -> tuple[Any, Any, Any, Any, Any]:
    """Return the derivatives of `clock_log_mgf` in (s, κ, η, λ, y₀)."""
    x = _Terms.of(s, t, kappa, lam)
    b = 2.0 * x.complement / x.denominator
    ratio, ratio_slope = log1p_ratio(x.w), log1p_ratio_derivative(x.w)

    def along(dg: Any, dkappa: Any, dlam: Any, ds: Any) -> tuple[Any, Any]:
        """Return the directional derivatives of `long_run` and b along (dg, dκ, dλ, ds)."""
        de = t * x.decay * dg
        dh = de / (x.g * x.sum) - x.h * (dg / x.g + (dg + dkappa) / x.sum)
        dw = lam**2 * s * dh + x.h * (2.0 * lam * s * dlam + lam**2 * ds)
        dlong = -t * (dg + dkappa) / x.sum**2
        dlong = dlong - dh * ratio - x.h * ratio_slope * dw
        dden = x.complement * dkappa + (kappa - x.g) * de + (2.0 - x.complement) * dg
        return dlong, 2.0 * de / x.denominator - b * dden / x.denominator

    long_s, b_s = along(-(lam**2) / x.g, 0.0, 0.0, 1.0)
    long_kappa, b_kappa = along(kappa / x.g, 1.0, 0.0, 0.0)
    long_lam, b_lam = along(-2.0 * lam * s / x.g, 0.0, 1.0, 0.0)
    weight = 2.0 * kappa * eta
    return (
        weight * x.long_run + y0 * b + s * (weight * long_s + y0 * b_s),
        s * (2.0 * eta * x.long_run + weight * long_kappa + y0 * b_kappa),
        s * 2.0 * kappa * x.long_run,
        s * (weight * long_lam + y0 * b_lam),
        s * b,
    )


def clock_time_derivative(s: Any, t: Any, kappa: Any, eta: Any, lam: Any, y0: Any) -> Any:
    """Return ∂ log E[exp(sY_T)]/∂T."""
    x = _Terms.of(s, t, kappa, lam)
    de = x.g * x.decay
    dh = x.decay / x.sum
    slope = log1p_ratio(x.w) + log1p_ratio_derivative(x.w) * x.w
    dlong = 1.0 / x.sum - slope * dh
    b = 2.0 * x.complement / x.denominator
    db = (2.0 * de - b * (kappa - x.g) * de) / x.denominator
    return s * (2.0 * kappa * eta * dlong + y0 * db)


def clock_moment_exists(s: Any, t: Any, kappa: Any, lam: Any) -> Any:
    """Return whether E[exp(sY_T)] is finite, for real s.

    It is for s ≤ κ²/(2λ²), otherwise for T < (2/g)(π/2 + arctan(κ/g)), g = √(2λ²s − κ²).

    References
    ----------
    Andersen and Piterbarg (2007), Finance and Stochastics 11, 29-50, proposition 3.1.
    """
    xp = array_namespace(s, t, kappa)
    excess = 2.0 * lam**2 * s - kappa**2
    g = xp.sqrt(xp.maximum(excess, 1e-300))
    return (excess <= 0.0) | (0.5 * g * t < 0.5 * xp.pi + xp.arctan(kappa / g))


def clock_cumulants(t: Any, kappa: Any, eta: Any, lam: Any, y0: Any) -> tuple[Any, Any, Any, Any]:
    """Return the first four cumulants of Y_T, Taylor coefficients of its log mgf.

    The trapezoidal rule on a circle gives them to ten digits or more. As Y_T ≥ 0, the singularity
    nearest to 0 is real and positive; by `clock_moment_exists` it exceeds (κ² + π²/T²)/(2λ²). The
    radius is an eighth of that.
    """
    xp = array_namespace(t, kappa)
    radius = (kappa**2 + (np.pi / t) ** 2) / (16.0 * lam**2)
    values = [clock_log_mgf(radius * z, t, kappa, eta, lam, y0) for z in _CIRCLE]
    cumulants = []
    factorial = 1.0
    for n in (1, 2, 3, 4):
        factorial *= n
        mean = sum(value * z ** (-n) for value, z in zip(values, _CIRCLE, strict=True))
        cumulants.append(factorial * xp.real(mean) / (_CIRCLE.size * radius**n))
    return cumulants[0], cumulants[1], cumulants[2], cumulants[3]
