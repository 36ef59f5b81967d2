"""The log-transform of the price, in two precisions, from the formulas of the literature.

log E[exp(iξ(X_T + ω_T))] for each registered model: the exponents are those of `tests/reference`,
not the engine's. In many limits log φ_T(ξ) and iξω_T are large and cancel. `Transform` therefore
evaluates at a number of digits that it checks by doubling it, and uses 80-bit floating point
only where that agrees with the many digits.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Final

import mpmath as mp
import numpy as np

from tests.check_prices.martingale_exponents import EXPONENTS, log1p_rest, martingale_exponent
from tests.reference.textbook import FUNCTIONS, textbooks

Parameters = Mapping[str, float]

_CLOCK: Final = ("kappa", "eta", "lam_clock", "y0")
_FIRST_DIGITS: Final = 40
_MOST_DIGITS: Final = 1500
_MOST_DIGITS_OF_FAST: Final = 100
_AGREEMENT: Final = 1e-22
_SAME: Final = mp.mpf("1e-22")
_FAST_AGREEMENT: Final = 2e-16
"""Largest error of the weighted integrand at a probe that 80-bit arithmetic may cause."""
_PROBES_PER_INTEGRAL: Final = 5.0
"""Approximate integral over log ξ of an error as large as that of the worst probe."""
_PROBE_POINTS: Final = np.array([10.0 ** (0.75 * k) for k in range(-4, 14)]) - np.clongdouble(0.5j)
_NEGLIGIBLE: Final = -45.0
_NO_Y: Final = 1e-40
_COARSELY: Final = 1e-6
_LARGEST: Final = mp.mpf("1e300")
_SECOND: Final = "_2"


class NoForwardError(ArithmeticError):
    """E[exp(X_T)] is infinite."""


def family(name: str) -> tuple[str, str]:
    """Return the base model and its time structure: "", "Sato", "CIR" or "Additive"."""
    for suffix in ("Sato", "CIR", "Additive"):
        if name.endswith(suffix):
            return name.removesuffix(suffix), suffix
    return name, ""


def forward_exists(name: str, parameters: Parameters, years: float) -> bool:
    """Return whether E[exp(X_T)] is finite, computed with many digits."""
    base, structure = family(name)
    with mp.workdps(_MOST_DIGITS):
        p = {key: mp.mpf(value) for key, value in parameters.items()}
        scale = mp.mpf(years) ** p["gamma"] if "gamma" in p else mp.mpf(1)
        tail = textbooks()[base].upper_tail(_base_parameters(parameters))
        if not tail > max(scale, mp.mpf(1)):
            return False
        if structure == "Additive":
            return bool(textbooks()[base].upper_tail(_second_parameters(parameters)) > 1)
        if structure != "CIR":
            return True
        s = _exponent_at_minus_i(base, parameters)
        excess = 2 * p["lam_clock"] ** 2 * s - p["kappa"] ** 2
        if excess <= 0:
            return True
        # Andersen and Piterbarg (2007), proposition 3.1.
        g = mp.sqrt(excess)
        return bool(mp.mpf(years) < 2 / g * (mp.pi / 2 + mp.atan(p["kappa"] / g)))


def _exponent_at_minus_i(base: str, parameters: Parameters) -> Any:
    """Return ψ(−i), with enough digits that doubling them does not change it."""
    digits, value, previous = _FIRST_DIGITS, None, None
    while digits < _MOST_DIGITS:
        with mp.workdps(digits):
            value = mp.re(textbooks()[base].exponent(mp.mpc(0, -1), _base_parameters(parameters)))
            if previous is not None and abs(value - previous) <= abs(value) * _SAME:
                break
        digits, previous = 2 * digits, value
    return value


def _base_parameters(parameters: Parameters) -> dict[str, Any]:
    structural = (*_CLOCK, "gamma", "rho")
    return {k: v for k, v in parameters.items() if k not in structural and not k.endswith(_SECOND)}


def _second_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of the base in the second component of an additive process."""
    return {k: parameters.get(k + _SECOND, v) for k, v in _base_parameters(parameters).items()}


@dataclass(frozen=True)
class Transform:
    """G(ξ) = log E[exp(iξ(X_T + ω_T))] for Re ξ ≥ 0 inside the cut plane.

    Attributes
    ----------
    name : str
        Registered model.
    parameters : mapping
        Its parameters by name.
    years : float
        Maturity.
    """

    name: str
    parameters: Parameters
    years: float

    _probed: list[np.ndarray] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not forward_exists(self.name, self.parameters, self.years):
            raise NoForwardError(f"{self.name} {dict(self.parameters)} T = {self.years!r}")

    def __call__(self, xi: np.ndarray) -> np.ndarray:
        """Return G at points of the cut plane, array of `clongdouble`."""
        return self._fast(xi) if self.is_fast else self.exact(xi)

    def exact(self, xi: np.ndarray) -> np.ndarray:
        """Return G evaluated with sufficient digits, rounded to 80 bits."""
        return self._at_digits(xi, self.digits)

    @property
    def _numbers(self) -> dict[str, float]:
        """Return the parameters; CGMY's Y is set to zero if negligible, since Γ(−Y) is costly."""
        numbers = dict(self.parameters)
        if numbers.get("Y", 1.0) < _NO_Y:
            numbers["Y"] = 0.0
        return numbers

    @cached_property
    def digits(self) -> int:
        """Return the decimal digits at which doubling them does not change any probe.

        They begin where a parameter's square still counts beside one: with fewer, what is lost may
        be lost alike by twice as many.
        """
        sizes = [abs(math.log10(abs(v))) for v in self._numbers.values() if v]
        digits, points = _FIRST_DIGITS + 2 * math.ceil(max(sizes)), _PROBE_POINTS
        values = self._at_digits(points, digits)
        while digits < _MOST_DIGITS:
            more = self._at_digits(points, 2 * digits)
            if _weighted_change(points, values, more) < _AGREEMENT:
                self._probed[:] = [more]
                return digits
            digits, values = 2 * digits, more
        raise ArithmeticError("the transform cancels to more than 1500 digits")

    @property
    def is_fast(self) -> bool:
        """Whether 80-bit arithmetic gives the integrand to 15 digits."""
        return self._fast_error < _FAST_AGREEMENT

    @property
    def error(self) -> float:
        """Return the error of an integral of exp(G)/(ξ(ξ + i)) due to rounding of G."""
        return _PROBES_PER_INTEGRAL * self._fast_error if self.is_fast else 0.0

    @cached_property
    def _fast_error(self) -> float:
        if self.digits > _MOST_DIGITS_OF_FAST or family(self.name)[0] not in EXPONENTS:
            return np.inf
        with np.errstate(all="ignore"):
            return _weighted_change(_PROBE_POINTS, self._fast(_PROBE_POINTS), self._probed[0])

    def in_many_digits(self) -> Callable[[Any], Any]:
        """Return G as a function of mpmath, for the digits at which mpmath works."""
        log_cf, _ = self._log_cf()
        drift = -mp.re(log_cf(mp.mpc(0, -1)))
        return lambda u: log_cf(u) + mp.mpc(0, 1) * u * drift

    def _at_digits(self, xi: np.ndarray, digits: int) -> np.ndarray:
        with mp.workdps(digits):
            transform = self.in_many_digits()
            return np.array([_complex_to_long(transform(_to_mp(u))) for u in xi])

    @cached_property
    def drift(self) -> np.longdouble:
        """Return ω_T, rounded to 80 bits."""
        with mp.workdps(self.digits):
            log_cf, _ = self._log_cf()
            return to_long(-mp.re(log_cf(mp.mpc(0, -1))))

    @cached_property
    def _linear(self) -> np.longdouble:
        """Return ψ(−i) of the base, rounded to 80 bits."""
        with mp.workdps(self.digits):
            _, exponent = self._log_cf()
            return to_long(mp.re(exponent(mp.mpc(0, -1))))

    def _fast(self, xi: np.ndarray) -> np.ndarray:
        base, structure = family(self.name)
        law = equal_law(self)
        exponent = martingale_exponent(base, law, xi)
        if structure == "Additive":
            second = {k: np.longdouble(v) for k, v in _second_parameters(self.parameters).items()}
            clock = np.longdouble(self.years) ** np.longdouble(self.parameters["rho"])
            return np.asarray(exponent + clock * martingale_exponent(base, second, xi))
        if structure != "CIR":
            return np.asarray(law["t"] * exponent)
        i = np.clongdouble(1j)
        s = exponent + i * xi * self._linear
        cir = [law[key] for key in _CLOCK]
        return np.asarray(_long_clock_log_mgf(s, law["t"], cir) + i * xi * self.drift)

    def _log_cf(self) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
        """Return log φ_T(u) and ψ(u) of the base, in mpmath's working precision."""
        base, structure = family(self.name)
        numbers = {key: mp.mpf(value) for key, value in self._numbers.items()}
        years = mp.mpf(self.years)
        # γ of self-similarity and the gamma function have the same name.
        names = {**FUNCTIONS, **{key: v for key, v in numbers.items() if key != "gamma"}}
        names["gamma"] = cache(mp.gamma)
        formula = textbooks()[base].formula

        def exponent(u: Any) -> Any:
            return eval(formula, {**names, "u": u})

        scale = years ** numbers["gamma"] if "gamma" in numbers else mp.mpf(1)
        if structure == "Sato":
            return lambda u: exponent(u * scale), exponent
        if structure == "Additive":
            second = {**names, **_second_parameters(numbers)}
            clock = years ** numbers["rho"]
            return (
                lambda u: exponent(u * scale) + clock * eval(formula, {**second, "u": u}),
                exponent,
            )
        if structure == "CIR":
            cir = [numbers[key] for key in _CLOCK]
            return lambda u: clock_log_mgf(exponent(u), years, cir), exponent
        return lambda u: years * exponent(u), exponent


def equal_law(transform: Transform) -> dict[str, np.longdouble]:
    """Return parameters of the base with which it has the same law after a time `t`.

    Parameters of a self-similar process are scaled by T^γ; those of a clock are kept. For an
    additive process, the law is that of its first component.
    """
    p = {key: np.longdouble(value) for key, value in transform.parameters.items()}
    years = np.longdouble(transform.years)
    if "gamma" not in p:
        return {**p, "t": years}
    scale = years ** p.pop("gamma")
    power = {"C": p.get("Y", 0), "a": 1, "sigma": 1, "theta": 1, "delta": 1}
    power |= {"alpha": -1, "beta": -1, "G": -1, "M": -1}
    scaled = {key: value * scale ** power.get(key, 0) for key, value in p.items()}
    return {**scaled, "t": np.longdouble(1)}


def clock_log_mgf(s: Any, t: Any, clock: Sequence[Any]) -> Any:
    """Return log E[exp(s∫y dt)] of a square-root process: Cox, Ingersoll and Ross (1985).

    The logarithm of cosh(gT/2) + (κ/g) sinh(gT/2) is split so that its branch is continuous.
    """
    kappa, eta, lam, y0 = clock
    g = mp.sqrt(kappa**2 - 2 * lam**2 * s)
    decay = mp.exp(-g * t)
    rest = mp.log1p((g - kappa) / (g + kappa) * decay)
    log_growth = g * t / 2 + mp.log((1 + kappa / g) / 2) + rest
    mean = 2 * kappa * eta / lam**2 * (kappa * t / 2 - log_growth)
    return mean + y0 * 2 * s / (kappa + g * (1 + decay) / (1 - decay))


def _long_clock_log_mgf(s: np.ndarray, t: np.longdouble, clock: Sequence[Any]) -> np.ndarray:
    """Return the same for arrays of 80-bit numbers, without the division by λ²."""
    kappa, eta, lam, y0 = clock
    g = np.sqrt(kappa**2 - 2 * lam**2 * s)
    gone = -np.expm1(-g * t)
    h = gone / (g * (kappa + g))
    w = lam**2 * s * h
    ratio = 1.0 + log1p_rest(w) / np.where(w == 0, 1.0, w)
    long_run = t / (kappa + g) - h * ratio
    mean = 2 * kappa * eta * long_run
    return np.asarray(s * (mean + 2 * y0 * gone / (kappa * gone + g * (2 - gone))))


def _weighted_change(xi: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Return the largest change of exp(G)·ξ/(ξ² + 1/4), the integrand over log ξ.

    Infinite where G is not finite, or where exp(G) is negligible and G itself is not the same to a
    few digits: noise may be negligible too.
    """
    if not np.all(np.isfinite(first) & np.isfinite(second)):
        return np.inf
    size, change = np.maximum(first.real, second.real), np.abs(first - second)
    if np.any((size <= _NEGLIGIBLE) & (change > _COARSELY * np.abs(first))):
        return np.inf
    weight = np.exp(np.minimum(size, 1.0)) / np.abs(xi + np.clongdouble(1j))
    return float(np.max(np.where(size > _NEGLIGIBLE, weight * change, 0.0)))


def _to_mp(u: np.clongdouble) -> Any:
    return mp.mpc(_split(u.real), _split(u.imag))


def _split(value: np.longdouble) -> Any:
    high = float(value)
    return mp.mpf(high) + mp.mpf(float(value - np.longdouble(high)))


def _complex_to_long(value: Any) -> np.clongdouble:
    real, imag = to_long(value.real), to_long(value.imag)
    return np.clongdouble(real) + np.clongdouble(1j) * np.clongdouble(imag)


def to_long(value: Any) -> np.longdouble:
    """Return a real number of mpmath rounded to 80 bits."""
    high = float(min(max(value, -_LARGEST), _LARGEST))
    rest = float(value - mp.mpf(high)) if abs(value) < _LARGEST else 0.0
    return np.longdouble(high) + np.longdouble(rest)


def revives(transform: Transform) -> bool:
    """Return whether |φ_T| of Merton's model rises again where jumps of one size are in phase.

    A sum over nodes with increasing distances may miss such a revival.
    """
    if transform.name != "Merton":
        return False
    p = {key: np.float64(value) for key, value in transform.parameters.items()}
    with np.errstate(all="ignore"):
        square = np.square(2.0 * np.pi / np.abs(p["mu_j"]))
        jumps = p["lam"] * -np.expm1(-0.5 * p["sigma_j"] ** 2 * square)
        damped = transform.years * (jumps + 0.5 * p["sigma"] ** 2 * square)
    return not damped > -_NEGLIGIBLE
