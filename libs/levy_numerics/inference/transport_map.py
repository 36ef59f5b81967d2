"""A map that carries a standard normal to a posterior, learnt from draws of it.

Where quotes determine one direction poorly, a posterior is a thin, bent ridge: no covariance
describes it, and samplers creep along it. The map is triangular: of whitened points, widest
direction first, each entry is given those before it

    wᵢ = m(w₁…wᵢ₋₁) + exp(s(w₁…wᵢ₋₁))·S(vᵢ),   S(v) = a + b·sinh(δ·(arsinh v + ε)),

with m and s polynomials in tanh-limited entries and S a sinh-arcsinh quantile curve. Both ways are
closed formulas, and so is the volume. One formula serves NumPy and JAX.

References
----------
Parno and Marzouk (2018), Transport map accelerated Markov chain Monte Carlo, SIAM/ASA J.
Uncertainty Quantification 6(2), 645-682. Jones and Pewsey (2009), Sinh-arcsinh distributions,
Biometrika 96(4), 761-780.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from scipy.special import ndtri

from levy_numerics.special import array_namespace

_REACH: Final = 5.0
"""Standard deviations beyond which an entry bends those after it no further."""
_MOST_LOG_SCALE: Final = 3.0
_RIDGE: Final = 5.0
"""Draws' worth of belief that a coefficient is nothing."""
_NEWTON_STEPS: Final = 20
_PROBABILITIES: Final = np.linspace(0.02, 0.98, 25)
_SHAPE_PENALTY: Final = 0.05
"""Of one unit of ε or log δ, beside quantiles that are off by as much."""
_NEGLIGIBLE: Final = 1e-12


@dataclass(frozen=True)
class Conditional:
    """Law of one entry, given those before it.

    Attributes
    ----------
    mean : array
        Coefficients of m, in the order of `_bending`.
    log_scale : array
        Those of s, in the order of `_widening`.
    curve : array, shape (4,)
        a, log b, ε, log δ.
    """

    mean: Any
    log_scale: Any
    curve: Any

    @classmethod
    def standard(cls, n_before: int) -> Self:
        """A standard normal, whatever came before."""
        nothing = np.zeros((n_before, 1))
        return cls(np.zeros(len(_bending(nothing))), np.zeros(len(_widening(nothing))), np.zeros(4))

    @classmethod
    def fitted(cls, before: np.ndarray, w: np.ndarray, weights: np.ndarray) -> Self:
        """By penalised least squares, likelihood and quantiles, in this order."""
        limited = _limited(before)
        ridge = _RIDGE * float(np.sum(weights**2))
        bending, widening = _bending(limited), _widening(limited)
        mean = np.linalg.solve(
            (bending * weights) @ bending.T + ridge * _but_the_first(len(bending)),
            (bending * weights) @ w,
        )
        rest = w - mean @ bending
        log_scale = _fitted_log_scale(widening, rest, weights, ridge)
        standard = rest * np.exp(-_summed(log_scale, widening))
        return cls(mean, log_scale, _fitted_curve(standard, weights))

    def about(self, before: Any) -> tuple[Any, Any]:
        """m and s, given the entries before, shape (i, n)."""
        xp = array_namespace(before, self.mean)
        limited = _limited(before)
        m = xp.tensordot(self.mean, _bending(limited), axes=1)
        return m, _summed(self.log_scale, _widening(limited))

    def quantile(self, v: Any) -> tuple[Any, Any]:
        """S(v), and log S′(v)."""
        xp = array_namespace(v, self.curve)
        a, log_b, epsilon, log_delta = self.curve
        y = xp.exp(log_delta) * (xp.arcsinh(v) + epsilon)
        log_slope = log_b + log_delta + xp.log(xp.cosh(y)) - 0.5 * xp.log1p(v * v)
        return a + xp.exp(log_b) * xp.sinh(y), log_slope

    def standardised(self, s: Any) -> Any:
        """v of S(v)."""
        xp = array_namespace(s, self.curve)
        a, log_b, epsilon, log_delta = self.curve
        y = xp.arcsinh((s - a) * xp.exp(-log_b))
        return xp.sinh(y * xp.exp(-log_delta) - epsilon)


@dataclass(frozen=True)
class Transport:
    """u = centre + factor·w, with w from v entry by entry.

    Attributes
    ----------
    centre : array, shape (d,)
    factor : array, shape (d, d)
    log_determinant : float
        Of the factor.
    conditionals : tuple of Conditional
    """

    centre: Any
    factor: Any
    log_determinant: Any
    conditionals: tuple[Conditional, ...]

    @classmethod
    def affine(cls, centre: np.ndarray, factor: np.ndarray) -> Self:
        """A normal, of this mean and covariance factor·factorᵀ."""
        each = tuple(Conditional.standard(i) for i in range(centre.size))
        return cls(centre, factor, float(np.linalg.slogdet(factor)[1]), each)

    @classmethod
    def fitted(cls, u: np.ndarray, weights: np.ndarray | None = None) -> Self:
        """Learn from draws.

        Parameters
        ----------
        u : ndarray, shape (d, n)
        weights : ndarray, shape (n,), optional
            With sum one; alike unless given.
        """
        if weights is None:
            weights = np.full(u.shape[1], 1.0 / u.shape[1])
        counts = weights > _NEGLIGIBLE
        u, weights = u[:, counts], weights[counts] / weights[counts].sum()
        centre = u @ weights
        apart = u - centre[:, None]
        values, vectors = np.linalg.eigh((apart * weights) @ apart.T)
        floor = values[-1] * np.finfo(float).eps
        # Widest first: what is poorly determined bends the rest, and not the other way.
        factor = (vectors * np.sqrt(np.maximum(values, floor)))[:, ::-1]
        w = np.linalg.solve(factor, apart)
        each = tuple(Conditional.fitted(w[:i], w[i], weights) for i in range(len(w)))
        return cls(centre, factor, float(np.linalg.slogdet(factor)[1]), each)

    def from_standard(self, v: Any) -> tuple[Any, Any]:
        """u, shape of `v`, (d, n), and log |∂u/∂v|, shape (n,)."""
        xp = array_namespace(v, self.centre)
        w: list[Any] = []
        log_volume = self.log_determinant
        for entry, one in zip(v, self.conditionals, strict=True):
            m, s = one.about(_stacked(w, entry))
            standard, log_slope = one.quantile(entry)
            w.append(m + xp.exp(s) * standard)
            log_volume = log_volume + s + log_slope
        return self.centre[:, None] + self.factor @ xp.stack(w), log_volume

    def to_standard(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """v, shape of `u`, (d, n), and log |∂v/∂u|, shape (n,)."""
        w = np.linalg.solve(self.factor, u - self.centre[:, None])
        v = np.empty_like(w)
        log_volume = np.full(w.shape[1], -self.log_determinant)
        for i, one in enumerate(self.conditionals):
            m, s = one.about(w[:i])
            v[i] = one.standardised((w[i] - m) * np.exp(-s))
            log_volume -= s + one.quantile(v[i])[1]
        return v, log_volume


def _stacked(entries: list[Any], like: Any) -> Any:
    xp = array_namespace(like)
    return xp.stack(entries) if entries else xp.zeros((0, *like.shape))


def _limited(w: Any) -> Any:
    return _REACH * array_namespace(w).tanh(w / _REACH)


def _summed(log_scale: Any, terms: Any) -> Any:
    """s, which leaves its constant by so much and no more."""
    xp = array_namespace(log_scale, terms)
    varying = xp.tensordot(log_scale[1:], terms[1:], axes=1)
    return log_scale[0] + _MOST_LOG_SCALE * xp.tanh(varying / _MOST_LOG_SCALE)


def _bending(x: Any) -> Any:
    """Terms of m: all of second degree, powers to the fifth, and x₁²xⱼ; shape (n_terms, n).

    The ridge runs along the first entry and can be a hundredth as thick as it is long: its bend
    must be known that well.
    """
    xp = array_namespace(x)
    squares = x * x
    cubes = squares * x
    terms = [*_quadratic(x), cubes, squares * squares, squares * cubes]
    return xp.concatenate([*terms, squares[:1] * x[1:]])


def _widening(x: Any) -> Any:
    """Terms of s: all of second degree, and cubes; shape (n_terms, n)."""
    return array_namespace(x).concatenate([*_quadratic(x), x * x * x])


def _quadratic(x: Any) -> list[Any]:
    # By index, and not one by one: what is compiled grows with every operation.
    first, second = np.tril_indices(len(x))
    return [array_namespace(x).ones((1, *x.shape[1:])), x, x[first] * x[second]]


def _but_the_first(n: int) -> np.ndarray:
    return np.diag(np.r_[0.0, np.ones(n - 1)])


def _fitted_log_scale(
    terms: np.ndarray, rest: np.ndarray, weights: np.ndarray, ridge: float
) -> np.ndarray:
    """Most likely s of normal errors, by Newton's method; convex but for the softening."""
    found = np.zeros(len(terms))
    found[0] = 0.5 * np.log(max(float(weights @ rest**2), _NEGLIGIBLE))
    penalty = ridge * _but_the_first(len(terms))
    for _ in range(_NEWTON_STEPS):
        square = np.exp(np.clip(-2.0 * (found @ terms), -50.0, 50.0)) * rest**2
        slope = (terms * weights) @ (1.0 - square) + penalty @ found
        curvature = 2.0 * (terms * (weights * square)) @ terms.T + penalty
        floor = _NEGLIGIBLE * (1.0 + np.trace(curvature)) * np.eye(len(terms))
        step = np.linalg.solve(curvature + floor, slope)
        found = found - step * min(1.0, 1.0 / float(np.max(np.abs(step), initial=1e-300)))
    return found


def _fitted_curve(standard: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """a, log b, ε, log δ by quantiles; nearly normal unless they say otherwise."""
    from scipy.optimize import least_squares

    order = np.argsort(standard)
    cumulated = np.cumsum(weights[order]) - 0.5 * weights[order]
    wanted = np.interp(_PROBABILITIES, cumulated, standard[order])
    line = np.arcsinh(ndtri(_PROBABILITIES))

    def off(curve: np.ndarray) -> np.ndarray:
        a, log_b, epsilon, log_delta = curve
        met = a + np.exp(log_b) * np.sinh(np.exp(log_delta) * (line + epsilon)) - wanted
        return np.concatenate([met, _SHAPE_PENALTY * curve[2:]])

    return np.asarray(least_squares(off, np.zeros(4)).x)
