"""Random options over the whole domain of a model and in every limiting case.

A case is one parameter set, one maturity and some strikes. Most are built from what a price sees:
the standard deviation of the log-return at maturity, and the exponential decay of the two tails.
Each limit of a model is a corner of these: both decays large is the lognormal limit, one large is
one-sided, an upward decay near one is a forward that hardly exists. The rest draw parameters
one by one, far beyond their typical ranges or at the ends of the floating-point numbers.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.special import gamma as gamma_function

from levy_numerics import models
from levy_numerics.parameters import Parameter
from tests.check_prices.transforms import family, forward_exists

Rng = np.random.Generator
Drawn = dict[str, float]

HOUR: Final = 1.0 / (365.0 * 24.0)
YEARS: Final = (HOUR, 30.0)
STRIKE: Final = (0.2, 5.0)
"""Relative to the forward."""
DEVIATION: Final = (1e-4, 10.0)
"""Of the log-return at maturity."""
STRIKES_PER_CASE: Final = 20
_TRIES: Final = 8
_IN_BATCH: Final = 0.2
_KEPT_WITHOUT_FORWARD: Final = 0.05
_EXTREME: Final = (5e-324, 1e-300, 1e-200, 1e-100, 1e-30, 1e30, 1e100, 1e200, 1e300)


@dataclass(frozen=True)
class Case:
    """One parameter set and one maturity, with options on a forward.

    Attributes
    ----------
    model : str
        Registered name.
    kind : str
        The part of the domain it was drawn from.
    parameters : dict
        By name.
    years, forward, discount : float
    strike : ndarray, shape (n,)
        Currency.
    is_call : ndarray of bool, shape (n,)
    in_batch : bool
        Whether the set is priced as a member of a batch.
    """

    model: str
    kind: str
    parameters: Drawn
    years: float
    forward: float
    discount: float
    strike: np.ndarray
    is_call: np.ndarray
    in_batch: bool = False


def draw_case(model: str, index: int, seed: int) -> Case:
    """Return a case; it depends only on model, number and seed."""
    rng = np.random.default_rng([seed, zlib.crc32(model.encode()), index])
    years = float(rng.choice(YEARS)) if rng.random() < 0.06 else _log_uniform(rng, *YEARS)
    # Near the boundary, rounding makes the forward of many sets infinite; few of them are needed.
    for _ in range(_TRIES):
        kind, parameters = _draw_parameters(model, years, rng)
        if forward_exists(model, parameters, years) or rng.random() < _KEPT_WITHOUT_FORWARD:
            break
    forward, discount = 1.0, 1.0
    if rng.random() < 0.3:
        forward, discount = 10.0 ** rng.uniform(-3, 5), float(np.exp(-rng.uniform(0, 1)))
    strike = forward * _strikes(_deviation_of(model, parameters, years), rng)
    is_call = rng.random(strike.size) < 0.5
    in_batch = bool(rng.random() < _IN_BATCH)
    return Case(model, kind, parameters, years, forward, discount, strike, is_call, in_batch)


def _draw_parameters(model: str, years: float, rng: Rng) -> tuple[str, Drawn]:
    """Return the name of a part of the domain, and parameters from it."""
    chance = rng.random()
    if chance < 0.12:
        return "plausible", _each_parameter(model, rng, factor=1.0)
    if chance < 0.24:
        return "beyond plausible", _each_parameter(model, rng, factor=1e3)
    if chance < 0.27:
        return "extreme numbers", _one_extreme(model, rng)
    base, structure = family(model)
    if base not in _BY_TAILS or structure == "Additive":
        return "search box", _by_coordinates(model, years, rng)
    return _by_tails(model, years, rng)


def _by_coordinates(model: str, years: float, rng: Rng) -> Drawn:
    """Draw a deviation at maturity, and the other coordinates from the model's search box.

    Every model has these: a new one needs no entry in `_BY_TAILS`.
    """
    kind = models.get(model)
    low, high = kind.coordinate_bounds()
    coordinates = rng.uniform(low, high)
    coordinates[0] = np.clip(np.log(_deviation(rng) ** 2 / years), low[0], high[0])
    return _floats(kind.from_coordinates(coordinates).as_mapping())


def _log_uniform(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _strikes(deviation: float, rng: Rng) -> np.ndarray:
    """Return K/F: the forward, both ends, some of the whole range, some in the distribution."""
    low, high = np.log(STRIKE)
    whole = np.exp(rng.uniform(low, high, 7))
    near = np.exp(deviation * rng.normal(scale=2.0, size=STRIKES_PER_CASE - 10))
    return np.concatenate([[1.0], STRIKE, whole, np.clip(near, *STRIKE)])


def _deviation_of(model: str, parameters: Drawn, years: float) -> float:
    with np.errstate(all="ignore"):
        try:
            variance = float(models.get(model)(**parameters).cumulants(years)[1])
        except (ArithmeticError, ValueError):
            variance = np.nan
    return float(np.sqrt(np.clip(variance, 1e-10, 4.0))) if np.isfinite(variance) else 0.3


def _each_parameter(model: str, rng: Rng, factor: float) -> Drawn:
    """Draw every parameter from its typical range, widened by a factor on either side."""
    return {p.name: _one_parameter(p, rng, factor) for p in models.get(model).parameters()}


def _one_parameter(p: Parameter, rng: Rng, factor: float) -> float:
    low, high = p.typical_range
    if low <= 0:
        widened = high + (high - low) * rng.uniform(-1, 0) * factor**0.5
        value = float(rng.uniform(low, high)) if factor == 1.0 else float(widened)
    else:
        shift = p.domain.low if np.isfinite(p.domain.low) and p.domain.low < low else 0.0
        value = shift + _log_uniform(rng, (low - shift) / factor, (high - shift) * factor)
    return value if p.domain.contains(value) else float(rng.uniform(low, high))


def _one_extreme(model: str, rng: Rng) -> Drawn:
    """Draw a typical set in which one parameter is an extreme floating-point number."""
    drawn = _each_parameter(model, rng, factor=1.0)
    declared = models.get(model).parameters()
    chosen = declared[rng.integers(len(declared))]
    allowed = [
        sign * value
        for value in _EXTREME
        for sign in (1.0, -1.0)
        if chosen.domain.contains(sign * value)
    ]
    return drawn | {chosen.name: float(rng.choice(allowed))}


def _deviation(rng: Rng) -> float:
    if rng.random() < 0.92:
        return _log_uniform(rng, *DEVIATION)
    return _log_uniform(rng, 1e-7, 1e-4) if rng.random() < 0.5 else _log_uniform(rng, 10.0, 100.0)


def _tails(rng: Rng) -> tuple[str, float, float]:
    """Draw the part of the domain, and decay rates of upward (above 1) and downward jumps."""

    def ten_to(low: float, high: float) -> float:
        return float(10.0 ** rng.uniform(low, high))

    kinds: dict[str, Callable[[], tuple[float, float]]] = {
        "any": lambda: (1.0 + ten_to(-4, 4), ten_to(-4, 4)),
        "lognormal limit": lambda: (1.0 + ten_to(2, 8), ten_to(2, 8)),
        "lognormal limit, even": lambda: (d := 1.0 + ten_to(2, 8), d * ten_to(-0.3, 0.3)),
        "upward jumps vanish": lambda: (1.0 + ten_to(4, 9), ten_to(-2, 2)),
        "downward jumps vanish": lambda: (1.0 + ten_to(-2, 2), ten_to(4, 9)),
        "forward hardly exists": lambda: (1.0 + ten_to(-12, -2), ten_to(-2, 3)),
        "heavy lower tail": lambda: (1.0 + ten_to(-1, 3), ten_to(-9, -1)),
    }
    weights = np.array([3.0, 2.0, 1.0, 1.0, 1.0, 1.0, 0.7])
    kind = str(rng.choice(list(kinds), p=weights / weights.sum()))
    return (kind, *kinds[kind]())


def _by_tails(model: str, years: float, rng: Rng) -> tuple[str, Drawn]:
    """Return parameters with a given deviation at maturity and decay rates of the tails."""
    base, structure = family(model)
    kind, low, high = _tails(rng)
    variance = _deviation(rng) ** 2
    if structure == "Sato":
        gamma, named = _self_similarity(rng)
        scale = years**gamma
        # Decay rates of X_T are those of X₁ divided by T^γ; X₁ needs a finite forward too.
        low, high = low * max(scale, 1.0), high * scale
        drawn = _BY_TAILS[base](variance / scale**2, low, high, rng)
        return f"{kind}{named}", _floats(drawn | {"gamma": gamma})
    if structure == "CIR":
        clock, named = _clock(rng)
        expected = clock["eta"] * years
        expected -= (
            (clock["y0"] - clock["eta"]) * np.expm1(-clock["kappa"] * years) / clock["kappa"]
        )
        drawn = _BY_TAILS[base](variance / expected, low, high, rng)
        return f"{kind}{named}", _floats(drawn | clock)
    return kind, _floats(_BY_TAILS[base](variance / years, low, high, rng))


def _floats(values: dict[str, Any]) -> Drawn:
    return {name: float(value) for name, value in values.items()}


def _self_similarity(rng: Rng) -> tuple[float, str]:
    chance = rng.random()
    if chance < 0.7:
        return float(rng.uniform(0.05, 1.5)), ""
    if chance < 0.85:
        return _log_uniform(rng, 1e-6, 0.05), ", γ → 0"
    return _log_uniform(rng, 1.5, 30.0), ", large γ"


def _clock(rng: Rng) -> tuple[Drawn, str]:
    kind = str(rng.choice(["", ", deterministic clock", ", fast reversion", ", slow reversion"]))
    clock = {
        "kappa": _log_uniform(rng, 0.05, 20.0),
        "eta": _log_uniform(rng, 1e-2, 20.0),
        "lam_clock": _log_uniform(rng, 0.05, 10.0),
        "y0": _log_uniform(rng, 1e-2, 20.0),
    }
    if "deterministic" in kind:
        clock["lam_clock"] = _log_uniform(rng, 1e-12, 1e-2)
    elif "fast" in kind:
        clock["kappa"] = _log_uniform(rng, 1e2, 1e8)
    elif "slow" in kind:
        clock["kappa"] = _log_uniform(rng, 1e-8, 1e-2)
    return clock, kind


def _black_scholes(variance: float, low: float, high: float, rng: Rng) -> dict[str, Any]:
    return {"sigma": np.sqrt(variance)}


def _variance_gamma(variance: float, low: float, high: float, rng: Rng) -> dict[str, Any]:
    activity = variance / (low**-2 + high**-2)
    sigma = np.sqrt(2.0 * activity / (low * high))
    return {"sigma": sigma, "nu": 1.0 / activity, "theta": activity * (1.0 / low - 1.0 / high)}


def _bilateral_gamma(variance: float, low: float, high: float, rng: Rng) -> dict[str, Any]:
    up, down = _shares(rng)
    return {
        "alpha_p": variance * up * low**2,
        "lambda_p": low,
        "alpha_m": variance * down * high**2,
        "lambda_m": high,
    }


def _nig(variance: float, low: float, high: float, rng: Rng) -> dict[str, Any]:
    alpha, product = 0.5 * (low + high), low * high
    delta = variance * product * np.sqrt(product) / alpha**2
    return {"alpha": alpha, "beta": 0.5 * (high - low), "delta": delta}


def _meixner(variance: float, low: float, high: float, rng: Rng) -> dict[str, Any]:
    width = low + high
    a, b = 2.0 * np.pi / width, np.pi * (high - low) / width
    largest = np.nextafter(np.pi, 0.0)
    b = min(max(b, -largest), largest)
    return {"a": a, "b": b, "d": 2.0 * variance * np.cos(0.5 * b) ** 2 / a**2}


def _cgmy(variance: float, low: float, high: float, rng: Rng) -> dict[str, Any]:
    y = float(
        rng.choice(
            [
                rng.uniform(0.0, 2.0),
                rng.uniform(0.0, 2.0),
                0.0,
                1.0,
                10.0 ** rng.uniform(-14, -1),
                1.0 + rng.choice([-1.0, 1.0]) * 10.0 ** rng.uniform(-14, -1),
                2.0 - 10.0 ** rng.uniform(-10, -1),
            ]
        )
    )
    level = variance / (gamma_function(2.0 - y) * (low ** (y - 2.0) + high ** (y - 2.0)))
    return {"C": level, "G": high, "M": low, "Y": y}


def _kou(variance: float, low: float, high: float, rng: Rng) -> dict[str, Any]:
    jumps, diffusion = _shares(rng)
    up, down = _shares(rng)
    rate_up = 0.5 * variance * jumps * up * low**2
    rate_down = 0.5 * variance * jumps * down * high**2
    rate = rate_up + rate_down
    p = min(max(rate_up / rate, 1e-300), 1.0 - 2.0**-53)
    sigma = np.sqrt(variance * diffusion)
    return {"sigma": sigma, "lam": rate, "p": p, "eta1": low, "eta2": high}


def _merton(variance: float, low: float, high: float, rng: Rng) -> dict[str, Any]:
    """Draw jumps of the size implied by the decay rates: from a single size to mean zero."""
    jumps, diffusion = _shares(rng)
    size = 10.0 ** rng.uniform(-6, 0.5)
    angle = np.arctan(rng.choice([-1.0, 1.0]) * 10.0 ** rng.uniform(-4, 3))
    return {
        "sigma": np.sqrt(variance * diffusion),
        "lam": variance * jumps / size**2,
        "mu_j": size * np.sin(angle),
        "sigma_j": size * np.cos(angle),
    }


def _shares(rng: Rng) -> tuple[float, float]:
    """Draw two fractions that add up to one: balanced, or with one of them vanishing."""
    logit = rng.uniform(-3.0, 3.0) if rng.random() < 0.5 else rng.uniform(-35.0, 35.0)
    return float(1.0 / (1.0 + np.exp(-logit))), float(1.0 / (1.0 + np.exp(logit)))


_BY_TAILS: Final[dict[str, Callable[[float, float, float, Rng], dict[str, Any]]]] = {
    "BlackScholes": _black_scholes,
    "VarianceGamma": _variance_gamma,
    "BilateralGamma": _bilateral_gamma,
    "NIG": _nig,
    "Meixner": _meixner,
    "CGMY": _cgmy,
    "Kou": _kou,
    "Merton": _merton,
}
