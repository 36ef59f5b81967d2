"""Lévy models with a stochastic time change, the integral of a CIR process.

The activity rate is random and mean-reverting, which gives volatility clusters: skewness and
kurtosis persist for years instead of falling as 1/√T and 1/T.

The integral Y_T = ∫₀ᵀ y dt, with dy = κ(η − y)dt + λ√y dW, has a log moment generating function
without cancellation and without branch crossings: with g = √(κ² − 2λ²s), E = 1 − exp(−gT),
D = κ + g and w = λ²sE/(gD),

    log E[exp(sY_T)] = 2κηs·(T/D − E/(gD)·log(1 + w)/w) + y₀s·2E/(κE + g(2 − E)).

Only exp(−gT) with Re g > 0 occurs, so long maturities cannot overflow, and the limit λ → 0, a
deterministic time change, is exact.

References
----------
Cox, Ingersoll and Ross (1985), Econometrica 53(2), 385-407; Carr, Geman, Madan and Yor (2003),
Mathematical Finance 13(3), 345-382, section 2.1.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from levy_numerics.models.base import Bounds, LevyModel
from levy_numerics.models.cgmy import CGMY
from levy_numerics.models.inversion import sample_by_inversion
from levy_numerics.models.nig import NIG
from levy_numerics.models.time_change.composition import Composition, compose
from levy_numerics.models.variance_gamma import VarianceGamma
from levy_numerics.parameters import parameter, positive
from levy_numerics.special import (
    array_namespace,
    exp_second_difference,
    log1p_ratio,
    log1p_ratio_complement,
    log1p_ratio_derivative,
)

# 2⁻⁴⁰ of the base's strip: far more digits than any user of the strip needs.
_N_BISECTIONS: Final = 40

# Points at which `clock_cumulants` evaluates the log moment generating function.
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


class CIRClock(Composition):
    """Time-changed model: log φ_T(u) = log E[exp(ψ(u)·Y_T)], Y_T = ∫₀ᵀ y dt.

    The activity rate is a CIR process, dy = κ(η − y)dt + λ√y dW.

    References
    ----------
    Carr, Geman, Madan and Yor (2003), Stochastic volatility for Lévy processes, Mathematical
    Finance 13(3), 345-382, section 2.
    """

    kappa: Any
    eta: Any
    lam_clock: Any
    y0: Any

    @property
    def clock(self) -> tuple[Any, Any, Any, Any]:
        """(κ, η, λ, y₀)."""
        return self.kappa, self.eta, self.lam_clock, self.y0

    def log_cf(self, u: Any, maturity_years: Any) -> Any:
        return clock_log_mgf(self.base.exponent(u), maturity_years, *self.clock)

    def log_cf_gradient(self, u: Any, maturity_years: Any) -> Any:
        return self.log_cf_with_gradient(u, maturity_years)[1]

    def log_cf_with_gradient(self, u: Any, maturity_years: Any) -> tuple[Any, Any]:
        # u gets as many axes as the maturities have, so that parameters stay on the first axis.
        u = array_namespace(u).reshape(
            u, (1,) * (np.ndim(maturity_years) - np.ndim(u)) + np.shape(u)
        )
        exponent, by_base = self.base.exponent_with_gradient(u)
        by_exponent, *by_clock = clock_gradient(exponent, maturity_years, *self.clock)
        xp = array_namespace(by_exponent)
        by_base = by_exponent * by_base
        by_clock = [xp.broadcast_to(d, by_base.shape[1:]) for d in by_clock]
        # The log moment generating function is linear in η and y₀.
        value = self.eta * by_clock[1] + self.y0 * by_clock[3]
        return value, xp.concatenate([by_base, xp.stack(by_clock)])

    def d_log_cf_dT(self, u: Any, maturity_years: Any) -> Any:
        return clock_time_derivative(self.base.exponent(u), maturity_years, *self.clock)

    def forward_exists(self, maturity_years: Any) -> Any:
        xp = array_namespace(maturity_years, self.kappa)
        low, _ = self.base.exponent_strip()
        inside = low > 1.0
        return inside & self._moment_exists(xp.asarray(-1j), inside, maturity_years)

    def _moment_exists(self, u: Any, inside: Any, maturity_years: Any) -> Any:
        """Return whether E[exp(ψ(u)Y_T)] is finite at a point of the imaginary axis."""
        xp = array_namespace(u, maturity_years, self.kappa)
        exponent = xp.real(self.base.exponent(xp.where(inside, u, 0.0)))
        return clock_moment_exists(exponent, maturity_years, self.kappa, self.lam_clock)

    def strip(self, maturity_years: Any) -> tuple[Any, Any]:
        """Return the strip in which the moments of base and time change exist, by bisection."""
        return self._strip_end(-1.0, maturity_years), self._strip_end(1.0, maturity_years)

    def _strip_end(self, sign: float, maturity_years: Any) -> Any:
        low, high = self.base.exponent_strip()
        end = low if sign < 0 else high
        xp = array_namespace(maturity_years, end)
        inner = xp.zeros_like(end * maturity_years * self.kappa)
        outer = inner + end
        for _ in range(_N_BISECTIONS):
            middle = 0.5 * (inner + outer)
            exists = self._moment_exists(1j * sign * middle, True, maturity_years)
            inner, outer = xp.where(exists, middle, inner), xp.where(exists, outer, middle)
        return inner

    def cumulants(self, maturity_years: Any) -> tuple[Any, Any, Any, Any]:
        """Return the cumulants of base and time change, composed by Faà di Bruno's formula."""
        c1, c2, c3, c4 = self.base.annual_cumulants()
        k1, k2, k3, k4 = clock_cumulants(maturity_years, *self.clock)
        return (
            k1 * c1,
            k1 * c2 + k2 * c1**2,
            k1 * c3 + 3.0 * k2 * c1 * c2 + k3 * c1**3,
            k1 * c4 + k2 * (4.0 * c1 * c3 + 3.0 * c2**2) + 6.0 * k3 * c1**2 * c2 + k4 * c1**4,
        )

    def gaussian_limit(self) -> tuple[str, ...]:
        """Return the limit of the base, with a time change that is not random."""
        return *self.base.gaussian_limit(), "lam_clock → 0"

    def sample(self, rng: np.random.Generator, maturity_years: float, size: int) -> Any:
        return sample_by_inversion(self, rng, maturity_years, size)

    @classmethod
    def from_coordinates(cls, z: Any) -> Self:
        """Return the model at (coordinates of the base, log κ, log η, log λ), with y₀ = 1.

        y₀ and the scale of the base are not separately identified: only their product matters.
        """
        xp = array_namespace(z)
        base = cls.base_type.from_coordinates(z[:-3]).as_mapping()
        clock = {
            "kappa": xp.exp(z[-3]),
            "eta": xp.exp(z[-2]),
            "lam_clock": xp.exp(z[-1]),
            "y0": xp.ones_like(z[-1]),
        }
        return cls(**(base | clock))

    def to_coordinates(self) -> Any:
        base = self.base.to_coordinates()
        xp = array_namespace(base)
        clock = [
            xp.broadcast_to(xp.log(value), base[:1].shape)
            for value in (self.kappa, self.eta, self.lam_clock)
        ]
        return xp.concatenate([base, *clock])

    @classmethod
    def coordinate_bounds(cls) -> Bounds:
        low, high = cls.base_type.coordinate_bounds()
        return (*low, -4.0, -5.0, -5.0), (*high, 4.0, 4.0, 4.0)


def with_cir_clock(base: type[LevyModel]) -> type[CIRClock]:
    """Register the model with base `base` and a CIR time change, under the name <base>CIR."""
    return compose(
        CIRClock,
        base,
        _clock_fields(),
        suffix="CIR",
        title=f"{base.title} with a CIR time change",
        source="Carr, Geman, Madan and Yor (2003), Mathematical Finance 13(3), 345-382",
    )


def _clock_fields() -> list[tuple[str, Any, Any]]:
    kappa = parameter(
        positive,
        symbol="κ",
        unit="1/year",
        meaning="speed of mean reversion of the activity rate",
        default=1.5,
        typical_range=(0.2, 10.0),
    )
    eta = parameter(
        positive,
        symbol="η",
        unit="1",
        meaning="long-run mean of the activity rate",
        default=1.2,
        typical_range=(0.2, 5.0),
    )
    lam_clock = parameter(
        positive,
        symbol="λ",
        unit="1/√year",
        meaning="volatility of the activity rate; larger values keep the smile at long maturities",
        default=1.5,
        typical_range=(0.1, 5.0),
    )
    y0 = parameter(
        positive,
        symbol="y₀",
        unit="1",
        meaning="initial activity rate; fixed at 1 in calibration for identifiability",
        default=1.0,
        typical_range=(1.0, 1.0),
    )
    return [
        ("kappa", Any, kappa),
        ("eta", Any, eta),
        ("lam_clock", Any, lam_clock),
        ("y0", Any, y0),
    ]


VarianceGammaCIR = with_cir_clock(VarianceGamma)
NIGCIR = with_cir_clock(NIG)
CGMYCIR = with_cir_clock(CGMY)
