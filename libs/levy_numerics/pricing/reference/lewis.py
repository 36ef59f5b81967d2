"""European options by Lewis's integral along Im u = −1/2: slow, the reference for other methods.

E[min(S, K)] = (√(FK)/π)·Re ∫₀^∞ exp(iux′)Φ(u)/(u² + 1/4) du, with x′ = ln(F/K) + ω_T and
Φ(u) = φ_T(u − i/2)·exp(ω_T/2). The line of integration lies in the strip of every model with finite
E[S_T], and is not deformed.

- If Φ decays fast, by the trapezoidal rule, with a step that follows from its error bound.
- Otherwise (Φ of Variance Gamma hardly decays at short maturities) by the double exponential rule
  of Ooura and Mori for Fourier integrals, whose nodes approach the zeros of the wave. The step is
  halved until two results agree.

References
----------
Lewis (2001), A simple option formula for general jump-diffusion and other exponential Lévy
processes, eq. (3.11). Ooura and Mori (1999), Journal of Computational and Applied Mathematics
112, 229-241. Trefethen and Weideman (2014), SIAM Review 56(3), 385-458.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from levy_numerics.market import Contracts
from levy_numerics.models.admissibility import required_drift
from levy_numerics.models.base import Model
from levy_numerics.pricing.aliasing import envelope_gap
from levy_numerics.pricing.result import Prices

# The integral of 1/u² beyond this u is below rounding.
_MAX_FREQUENCY: Final = 1e17
_INSIGNIFICANT: Final = 1e-17
# For a longer range of integration the double exponential rule is cheaper.
_MAX_TRAPEZOIDAL_RANGE: Final = 13_000.0
_INITIAL_STEP: Final = 1 / 16
_MAX_LEVELS: Final = 11
# A slower wave is constant until 1/u² has vanished.
_MIN_FREQUENCY: Final = 1e-16
# Entries of the largest array, which bounds the memory.
_BLOCK: Final = 2**18
_ROUNDING: Final = 1e-15
# Nodes end where χ, or its distance from t, is exp(−80).
_END: Final = 80.0

# u ↦ Φ(u)/(u² + 1/4).
Transform = Callable[[np.ndarray], np.ndarray]


def price(model: Model, contracts: Contracts, *, tolerance: float = 1e-12) -> Prices:
    """Return present values by adaptive quadrature of Lewis's integral.

    Parameters
    ----------
    model : Model
        Fields are numbers, or arrays of shape (n_sets,) for a batch.
    contracts : Contracts
        n of them.
    tolerance : float
        Requested error, as a fraction of the forward's present value.

    Returns
    -------
    Prices
        Shapes (n,) or (n_sets, n). `error` bounds aliasing, truncation and rounding for the
        trapezoidal rule. For the double exponential rule it is the last change under refinement,
        which is far above the true error because of fast convergence.
    """
    shape = np.broadcast_shapes(*(np.shape(v) for v in model.as_mapping().values()))
    covered = np.empty((*shape, 2, contracts.size))
    for index in np.ndindex(shape):
        covered[index] = _covered(model.select(index) if shape else model, contracts, tolerance)
    c = contracts
    scale = c.discount * np.sqrt(c.forward * c.strike)
    other = c.discount * np.where(c.is_call, c.forward, c.strike)
    value = other - scale * covered[..., 0, :]
    return Prices(np.clip(value, c.lower_bound, c.upper_bound), scale * covered[..., 1, :])


def _covered(model: Model, contracts: Contracts, tolerance: float) -> np.ndarray:
    """Return E[min(S, K)]/√(FK) and its error, shape (2, n)."""
    result = np.empty((2, contracts.size))
    allowed = tolerance * np.exp(0.5 * contracts.log_moneyness)
    for years in np.unique(contracts.maturity_years):
        drift = float(required_drift(model, years))
        transform = _transform(model, float(years), drift)
        end = _significant_range(transform, model, float(years))
        where = np.flatnonzero(contracts.maturity_years == years)
        log_moneyness = contracts.log_moneyness[where]
        if end <= _MAX_TRAPEZOIDAL_RANGE:
            result[:, where] = _trapezoid(transform, log_moneyness, drift, end, allowed[where])
        else:
            for k in where:
                frequency = contracts.log_moneyness[k] + drift
                result[:, k] = _fourier(transform, frequency, allowed[k])
    return result


def _transform(model: Model, years: float, drift: float) -> Transform:
    def transform(u: np.ndarray) -> np.ndarray:
        log_cf = model.log_cf(u - 0.5j, np.asarray(years)) + 0.5 * drift
        return np.asarray(np.exp(log_cf) / (u * u + 0.25))

    return transform


def _significant_range(transform: Transform, model: Model, years: float) -> float:
    """Return u beyond which the integral is insignificant, including revivals of Φ."""
    u = np.geomspace(1e-2, _MAX_FREQUENCY, 600)
    size = u * np.abs(transform(u))
    log_oscillation = model.log_oscillating_part(u - 0.5j, np.asarray(years))
    if log_oscillation is not None:
        size = size * np.exp(envelope_gap(log_oscillation))
    significant = np.flatnonzero(size > _INSIGNIFICANT)
    return float(u[min(significant[-1] + 1, u.size - 1)]) if significant.size else float(u[0])


def _trapezoid(
    transform: Transform,
    log_moneyness: np.ndarray,
    drift: float,
    end: float,
    allowed: np.ndarray,
) -> np.ndarray:
    """Return (1/π)·Re ∫₀^∞ exp(iux′)·transform(u) du and its error, shape (2, n).

    The sum with step h adds the integral at ln(F/K) + 2πk/h for every k ≠ 0 (aliasing). Each is at
    most exp(−|ln(F/K) + 2πk/h|/2), since E[min(S, K)] ≤ min(F, K). This determines the step.
    """
    farthest = float(np.abs(log_moneyness).max())
    target = np.clip(1e-3 * float(allowed.min()), _INSIGNIFICANT, 1e-3)
    step = 2.0 * np.pi / (farthest + 2.0 * np.log(8.0 / target))
    aliasing = 4.0 * np.exp(0.5 * farthest - np.pi / step)
    x = log_moneyness + drift
    total, rounding = _trapezoidal_sum(transform, x, abs(drift), step, end)
    return np.stack([step / np.pi * total, step / np.pi * rounding + aliasing + _INSIGNIFICANT])


def _trapezoidal_sum(
    transform: Transform, x: np.ndarray, drift: float, step: float, end: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return Σ Re(exp(iux)·transform(u)) over u = 0 (halved), h, 2h, … and its rounding error.

    The error of a phase is proportional to the phase: that of the wave, and those of the drift and
    log φ, which nearly cancel.
    """
    total, size, phases = np.zeros_like(x), 0.0, 0.0
    n_nodes = int(end / step) + 2
    per_block = max(1, _BLOCK // x.size)
    for start in range(0, n_nodes, per_block):
        u = step * np.arange(start, min(start + per_block, n_nodes))
        terms = transform(u)
        terms[:1] *= 0.5 if start == 0 else 1.0
        total += np.real(np.exp(1j * x[:, None] * u) @ terms)
        size += float(np.sum(np.abs(terms)))
        phases += float(np.sum(u * np.abs(terms)))
    return total, _ROUNDING * (size + (np.abs(x) + 2.0 * drift) * phases)


def _fourier(transform: Transform, frequency: float, allowed: float) -> np.ndarray:
    """Return (1/π)·Re ∫₀^∞ exp(iu·frequency)·transform(u) du and its error, shape (2,)."""
    speed, sign = max(abs(frequency), _MIN_FREQUENCY), np.sign(frequency)
    value, error = 0.0, np.inf
    for level in range(_MAX_LEVELS):
        step = _INITIAL_STEP / 2**level
        u, weight, wave = _fourier_nodes(speed, step, 0.5)
        terms = weight * wave * np.real(transform(u))
        u, weight, wave = _fourier_nodes(speed, step, 0.0)
        terms_of_sine = sign * weight * wave * np.imag(transform(u))
        previous, value = value, float(np.sum(terms) - np.sum(terms_of_sine)) / np.pi
        size = float(np.sum(np.abs(terms)) + np.sum(np.abs(terms_of_sine)))
        error = abs(value - previous) + _ROUNDING * (1.0 + size)
        if level and error <= allowed:
            break
    return np.array([value, error])


def _fourier_nodes(
    speed: float, step: float, offset: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return nodes u, weights, and cos (offset 1/2) or sin (offset 0) of speed·u.

    u = Mχ(t)/speed at t = (k + offset)·step, with M = π/step. χ(t) → t doubly exponentially, so
    that the phase of the wave tends to (k + offset)·π, where it is zero.
    """
    m = np.pi / step
    beta = 0.25
    alpha = beta / np.sqrt(1.0 + m * np.log1p(m) / (4.0 * np.pi))
    first, last = (int(np.log(_END / c) / step) for c in (alpha, beta))
    k = np.arange(-first, last + 1)
    t = step * (k + offset)
    exponent = -2.0 * t + alpha * np.expm1(-t) - beta * np.expm1(t)
    slope = -2.0 - alpha * np.exp(-t) - beta * np.exp(t)
    at_zero = t == 0.0
    rest = np.where(at_zero, 1.0, -np.expm1(exponent))
    ratio = np.exp(exponent) / rest
    total = 2.0 + alpha + beta
    chi = np.where(at_zero, 1.0 / total, t / rest)
    by_t_at_zero = 0.5 + 0.5 * (alpha - beta) / total**2
    by_t = np.where(at_zero, by_t_at_zero, (1.0 + t * slope * ratio) / rest)
    # For t > 0 from χ − t, without cancellation where the wave vanishes.
    wave = np.sin if offset == 0.0 else lambda angle: -np.sin(angle)
    positive = np.where(k % 2 == 0, 1.0, -1.0) * wave(m * t * ratio)
    negative = np.sin(m * chi) if offset == 0.0 else np.cos(m * chi)
    return m * chi / speed, np.pi * by_t / speed, np.where(t > 0.0, positive, negative)
