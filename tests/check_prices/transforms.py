"""The log-transform of the price, in two arithmetics, from the formulas of the literature.

log E[exp(iξ(X_T + ω_T))] for each registered model: the exponents are those of `tests/reference`,
not the engine's. In many limits log φ_T(ξ) and iξω_T are large and cancel. `Transform` therefore
evaluates at a number of digits that it checks by doubling it, and uses 80-bit floating point
only where that agrees with the many digits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import mpmath as mp
import numpy as np

from tests.reference.textbook import FUNCTIONS, Textbook, textbooks

Parameters = Mapping[str, float]

_CLOCK: Final = ("kappa", "eta", "lam_clock", "y0")
_FIRST_DIGITS: Final = 40
_MOST_DIGITS: Final = 1500
_AGREEMENT: Final = 1e-22
_FAST_AGREEMENT: Final = 1e-17
"""Largest total error of the weighted integrand that 80-bit arithmetic may cause."""
_PROBES: Final = tuple(10.0 ** (0.75 * k) for k in range(-4, 14))
_NEGLIGIBLE: Final = -45.0


class NoForwardError(ArithmeticError):
    """E[exp(X_T)] is infinite."""


def family(name: str) -> tuple[str, str]:
    """Return the base model and its time structure: "", "Sato" or "CIR"."""
    for suffix in ("Sato", "CIR"):
        if name.endswith(suffix):
            return name.removesuffix(suffix), suffix
    return name, ""


def forward_exists(name: str, parameters: Parameters, years: float) -> bool:
    """Return whether E[exp(X_T)] is finite, decided with many digits."""
    base, structure = family(name)
    with mp.workdps(_MOST_DIGITS):
        p = {key: mp.mpf(value) for key, value in parameters.items()}
        scale = mp.mpf(years) ** p["gamma"] if structure == "Sato" else mp.mpf(1)
        if not _upper_tail(base, p) > max(scale, mp.mpf(1)):
            return False
        if structure != "CIR":
            return True
        s = mp.re(textbooks()[base].exponent(mp.mpc(0, -1), _base_parameters(parameters)))
        excess = 2 * p["lam_clock"] ** 2 * s - p["kappa"] ** 2
        if excess <= 0:
            return True
        # Andersen and Piterbarg (2007), proposition 3.1.
        g = mp.sqrt(excess)
        return bool(mp.mpf(years) < 2 / g * (mp.pi / 2 + mp.atan(p["kappa"] / g)))


def _upper_tail(base: str, p: Mapping[str, Any]) -> Any:
    """λ₋ of the base: E[exp(sX)] is finite for s < λ₋."""
    if base == "VarianceGamma":
        half = p["theta"] / p["sigma"] ** 2
        return mp.sqrt(half**2 + 2 / (p["nu"] * p["sigma"] ** 2)) - half
    tails: dict[str, Callable[[], Any]] = {
        "NIG": lambda: p["alpha"] - p["beta"] if p["alpha"] + p["beta"] > 0 else mp.mpf(0),
        "Meixner": lambda: (mp.pi - p["b"]) / p["a"],
        "BilateralGamma": lambda: p["lambda_p"],
        "CGMY": lambda: p["M"],
        "Kou": lambda: p["eta1"],
    }
    return tails[base]() if base in tails else mp.inf


def _base_parameters(parameters: Parameters) -> dict[str, float]:
    return {k: v for k, v in parameters.items() if k not in (*_CLOCK, "gamma")}


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

    def __post_init__(self) -> None:
        if not forward_exists(self.name, self.parameters, self.years):
            raise NoForwardError(f"{self.name} {dict(self.parameters)} T = {self.years!r}")

    def __call__(self, xi: np.ndarray) -> np.ndarray:
        """Return G at points of the cut plane, array of `clongdouble`."""
        return self._fast(xi) if self.is_fast else self.exact(xi)

    def exact(self, xi: np.ndarray) -> np.ndarray:
        """Return G evaluated at as many digits as it needs, rounded to 80 bits."""
        return self._at_digits(xi, self.digits)

    @cached_property
    def digits(self) -> int:
        """Decimal digits at which doubling them changes no probe."""
        digits, points = _FIRST_DIGITS, self._probe_points
        values = self._at_digits(points, digits)
        while digits < _MOST_DIGITS:
            more = self._at_digits(points, 2 * digits)
            if _weighted_change(points, values, more) < _AGREEMENT:
                return digits
            digits, values = 2 * digits, more
        raise ArithmeticError("the transform cancels to more than 1500 digits")

    @cached_property
    def is_fast(self) -> bool:
        """Whether 80-bit arithmetic gives the integrand to 17 digits."""
        points = self._probe_points
        with np.errstate(all="ignore"):
            change = _weighted_change(points, self._fast(points), self.exact(points))
        return bool(change < _FAST_AGREEMENT)

    @property
    def _probe_points(self) -> np.ndarray:
        return np.asarray(_PROBES, dtype=np.longdouble) - np.clongdouble(0.5j)

    def _at_digits(self, xi: np.ndarray, digits: int) -> np.ndarray:
        with mp.workdps(digits):
            log_cf = self._log_cf(
                {**FUNCTIONS, "log1p": mp.log1p},
                {key: mp.mpf(value) for key, value in self.parameters.items()},
                mp.mpf(self.years),
            )
            drift = -mp.re(log_cf(mp.mpc(0, -1)))
            points = [_to_mp(u) for u in xi]
            return np.array(
                [_complex_to_long(log_cf(u) + mp.mpc(0, 1) * u * drift) for u in points]
            )

    @cached_property
    def drift(self) -> np.longdouble:
        """ω_T, rounded to 80 bits."""
        with mp.workdps(self.digits):
            numbers = {key: mp.mpf(value) for key, value in self.parameters.items()}
            functions = {**FUNCTIONS, "log1p": mp.log1p}
            log_cf = self._log_cf(functions, numbers, mp.mpf(self.years))
            return to_long(-mp.re(log_cf(mp.mpc(0, -1))))

    def _fast(self, xi: np.ndarray) -> np.ndarray:
        numbers = {key: np.longdouble(value) for key, value in self.parameters.items()}
        log_cf = self._log_cf(_LONG_FUNCTIONS, numbers, np.longdouble(self.years))
        with np.errstate(all="ignore"):
            return np.asarray(log_cf(xi) + np.clongdouble(1j) * xi * self.drift)

    def _log_cf(
        self, functions: Mapping[str, Any], numbers: Mapping[str, Any], years: Any
    ) -> Callable[[Any], Any]:
        base, structure = family(self.name)
        book: Textbook = textbooks()[base]
        # γ of self-similarity and the gamma function have one name.
        names = {**functions, **{key: v for key, v in numbers.items() if key != "gamma"}}
        formula = book.formula

        def exponent(u: Any) -> Any:
            return eval(formula, {**names, "u": u})

        if structure == "Sato":
            scale = years ** numbers["gamma"]
            return lambda u: exponent(u * scale)
        if structure == "CIR":
            clock = [numbers[key] for key in _CLOCK]
            return lambda u: clock_log_mgf(exponent(u), years, clock, functions)
        return lambda u: years * exponent(u)


def clock_log_mgf(s: Any, t: Any, clock: Sequence[Any], functions: Mapping[str, Any]) -> Any:
    """log E[exp(s∫y dt)] of a square-root process: Cox, Ingersoll and Ross (1985).

    The logarithm of cosh(gT/2) + (κ/g) sinh(gT/2) is split so that its branch is continuous.
    """
    kappa, eta, lam, y0 = clock
    log, log1p, exp = functions["log"], functions["log1p"], functions["exp"]
    g = functions["sqrt"](kappa**2 - 2 * lam**2 * s + 0 * functions["j"])
    decay = exp(-g * t)
    log_growth = g * t / 2 + log((1 + kappa / g) / 2) + log1p((g - kappa) / (g + kappa) * decay)
    mean = 2 * kappa * eta / lam**2 * (kappa * t / 2 - log_growth)
    return mean + y0 * 2 * s / (kappa + g * (1 + decay) / (1 - decay))


def _weighted_change(xi: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Largest change of exp(G)·ξ/(ξ² + 1/4), what an integral over log ξ sees."""
    size = np.maximum(first.real, second.real)
    weight = np.exp(np.minimum(size, 1.0)) * np.abs(xi) / np.abs(xi * (xi + np.clongdouble(1j)))
    change = np.where(size > _NEGLIGIBLE, weight * np.abs(first - second), 0.0)
    if not np.all(np.isfinite(first) & np.isfinite(second)):
        return np.inf
    return float(np.max(change))


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
    high = float(value)
    if not np.isfinite(high):
        return np.longdouble(high)
    return np.longdouble(high) + np.longdouble(float(value - mp.mpf(high)))


def _long_gamma(y: np.longdouble) -> np.longdouble:
    with mp.workdps(_FIRST_DIGITS):
        return to_long(mp.gamma(_split(y)))


def _long_logcosh(z: np.ndarray) -> np.ndarray:
    """Continuous for Re z ≥ 0."""
    return np.asarray(z + np.log1p(np.exp(-2 * z)) - np.log(np.longdouble(2)))


_LONG_FUNCTIONS: Final[dict[str, Any]] = {
    "j": np.clongdouble(1j),
    "log": np.log,
    "log1p": np.log1p,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "cos": np.cos,
    "gamma": _long_gamma,
    "logcosh": _long_logcosh,
}


def revives(transform: Transform) -> bool:
    """Whether |φ_T| of Merton's model is alive again where jumps of one size are in phase.

    A sum over nodes that grow apart may step over such a revival.
    """
    if transform.name != "Merton":
        return False
    p = {key: float(value) for key, value in transform.parameters.items()}
    with np.errstate(all="ignore"):
        square = np.square(2.0 * np.pi / np.float64(abs(p["mu_j"])))
        jumps = p["lam"] * -np.expm1(-0.5 * p["sigma_j"] ** 2 * square)
        damped = transform.years * (jumps + 0.5 * p["sigma"] ** 2 * square)
    return not damped > -_NEGLIGIBLE
