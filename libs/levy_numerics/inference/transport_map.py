"""Transport map from a standard normal distribution to a posterior, fitted to draws.

If quotes determine one direction poorly, the posterior is a thin, curved ridge, which no covariance
describes and in which samplers move slowly. The map is triangular: of whitened points w, widest
direction first, each entry depends on those before it,

    wᵢ = m(w₁…wᵢ₋₁) + exp(s(w₁…wᵢ₋₁))·S(vᵢ),   S(v) = a + b·sinh(δ·(arsinh v + ε)),

with m and s polynomials in entries bounded by tanh, and S the quantile function of a sinh-arcsinh
distribution. The map, its inverse and its volume element are closed formulas, for NumPy and JAX.

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

# Standard deviations at which the effect of an entry on later ones saturates: polynomials of fifth
# degree would otherwise dominate in the tails.
_SATURATION: Final = 5.0
# Bound of the variation of s.
_MAX_LOG_SCALE: Final = 3.0
# Weight of the ridge penalty on coefficients, in draws.
_RIDGE: Final = 5.0
_NEWTON_STEPS: Final = 20
# Probabilities at which the quantile function is fitted; tails have too few draws.
_PROBABILITIES: Final = np.linspace(0.02, 0.98, 25)
# Penalty of ε and log δ, relative to errors of quantiles.
_SHAPE_PENALTY: Final = 0.05
_NEGLIGIBLE: Final = 1e-12


@dataclass(frozen=True)
class Conditional:
    """Distribution of one entry, given those before it.

    Attributes
    ----------
    mean : array
        Coefficients of m, in the order of `_location_basis`.
    log_scale : array
        Coefficients of s, in the order of `_scale_basis`.
    curve : array, shape (4,)
        a, log b, ε, log δ.
    """

    mean: Any
    log_scale: Any
    curve: Any

    @classmethod
    def standard(cls, n_before: int) -> Self:
        """Return the standard normal distribution, independent of the entries before."""
        before = np.zeros((n_before, 1))
        n_location, n_scale = len(_location_basis(before)), len(_scale_basis(before))
        return cls(np.zeros(n_location), np.zeros(n_scale), np.zeros(4))

    @classmethod
    def fitted(cls, before: np.ndarray, w: np.ndarray, weights: np.ndarray) -> Self:
        """Fit m by penalised least squares, then s by likelihood, then S by quantiles."""
        bounded = _bounded(before)
        ridge = _RIDGE * float(np.sum(weights**2))
        location, scale = _location_basis(bounded), _scale_basis(bounded)
        mean = np.linalg.solve(
            (location * weights) @ location.T + ridge * _penalty_matrix(len(location)),
            (location * weights) @ w,
        )
        residuals = w - mean @ location
        log_scale = _fitted_log_scale(scale, residuals, weights, ridge)
        standard = residuals * np.exp(-_bounded_log_scale(log_scale, scale))
        return cls(mean, log_scale, _fitted_curve(standard, weights))

    def location_and_log_scale(self, before: Any) -> tuple[Any, Any]:
        """Return m and s, given the entries before, shape (i, n)."""
        xp = array_namespace(before, self.mean)
        bounded = _bounded(before)
        m = xp.tensordot(self.mean, _location_basis(bounded), axes=1)
        return m, _bounded_log_scale(self.log_scale, _scale_basis(bounded))

    def quantile(self, v: Any) -> tuple[Any, Any]:
        """Return S(v) and log S′(v)."""
        xp = array_namespace(v, self.curve)
        a, log_b, epsilon, log_delta = self.curve
        y = xp.exp(log_delta) * (xp.arcsinh(v) + epsilon)
        log_slope = log_b + log_delta + xp.log(xp.cosh(y)) - 0.5 * xp.log1p(v * v)
        return a + xp.exp(log_b) * xp.sinh(y), log_slope

    def standardised(self, s: Any) -> Any:
        """Return v, given S(v)."""
        xp = array_namespace(s, self.curve)
        a, log_b, epsilon, log_delta = self.curve
        y = xp.arcsinh((s - a) * xp.exp(-log_b))
        return xp.sinh(y * xp.exp(-log_delta) - epsilon)


@dataclass(frozen=True)
class Transport:
    """Transport map u = centre + factor·w(v).

    Attributes
    ----------
    centre : array, shape (d,)
    factor : array, shape (d, d)
    log_determinant : float
        log |det factor|.
    conditionals : tuple of Conditional
    """

    centre: Any
    factor: Any
    log_determinant: Any
    conditionals: tuple[Conditional, ...]

    @classmethod
    def affine(cls, centre: np.ndarray, factor: np.ndarray) -> Self:
        """Return the map to a normal distribution with covariance factor·factorᵀ."""
        conditionals = tuple(Conditional.standard(i) for i in range(centre.size))
        return cls(centre, factor, float(np.linalg.slogdet(factor)[1]), conditionals)

    @classmethod
    def fitted(cls, u: np.ndarray, weights: np.ndarray | None = None) -> Self:
        """Fit a map to draws.

        Parameters
        ----------
        u : ndarray, shape (d, n)
        weights : ndarray, shape (n,), optional
            Normalised weights; equal by default.
        """
        if weights is None:
            weights = np.full(u.shape[1], 1.0 / u.shape[1])
        significant = weights > _NEGLIGIBLE
        u, weights = u[:, significant], weights[significant] / weights[significant].sum()
        centre = u @ weights
        centred = u - centre[:, None]
        values, vectors = np.linalg.eigh((centred * weights) @ centred.T)
        floor = values[-1] * np.finfo(float).eps
        # Widest direction first: the others curve along it, which a triangular map can express.
        factor = (vectors * np.sqrt(np.maximum(values, floor)))[:, ::-1]
        w = np.linalg.solve(factor, centred)
        conditionals = tuple(Conditional.fitted(w[:i], w[i], weights) for i in range(len(w)))
        return cls(centre, factor, float(np.linalg.slogdet(factor)[1]), conditionals)

    def from_standard(self, v: Any) -> tuple[Any, Any]:
        """Return u, shape of `v`, (d, n), and log |∂u/∂v|, shape (n,)."""
        xp = array_namespace(v, self.centre)
        w: list[Any] = []
        log_volume = self.log_determinant
        for entry, conditional in zip(v, self.conditionals, strict=True):
            m, s = conditional.location_and_log_scale(_stacked(w, entry))
            standard, log_slope = conditional.quantile(entry)
            w.append(m + xp.exp(s) * standard)
            log_volume = log_volume + s + log_slope
        return self.centre[:, None] + self.factor @ xp.stack(w), log_volume

    def to_standard(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return v, shape of `u`, (d, n), and log |∂v/∂u|, shape (n,)."""
        w = np.linalg.solve(self.factor, u - self.centre[:, None])
        v = np.empty_like(w)
        log_volume = np.full(w.shape[1], -self.log_determinant)
        for i, conditional in enumerate(self.conditionals):
            m, s = conditional.location_and_log_scale(w[:i])
            v[i] = conditional.standardised((w[i] - m) * np.exp(-s))
            log_volume -= s + conditional.quantile(v[i])[1]
        return v, log_volume


def _stacked(entries: list[Any], like: Any) -> Any:
    xp = array_namespace(like)
    return xp.stack(entries) if entries else xp.zeros((0, *like.shape))


def _bounded(w: Any) -> Any:
    return _SATURATION * array_namespace(w).tanh(w / _SATURATION)


def _bounded_log_scale(log_scale: Any, basis: Any) -> Any:
    """Return s, whose difference from its constant term is bounded."""
    xp = array_namespace(log_scale, basis)
    varying = xp.tensordot(log_scale[1:], basis[1:], axes=1)
    return log_scale[0] + _MAX_LOG_SCALE * xp.tanh(varying / _MAX_LOG_SCALE)


def _location_basis(x: Any) -> Any:
    """Return the terms of m: second degree, powers up to the fifth, x₁²xⱼ; (n_terms, n).

    The ridge extends along the first entry, and may be a hundred times as long as it is thick: the
    curve of its centre needs that accuracy.
    """
    xp = array_namespace(x)
    squares = x * x
    cubes = squares * x
    terms = [*_quadratic(x), cubes, squares * squares, squares * cubes]
    return xp.concatenate([*terms, squares[:1] * x[1:]])


def _scale_basis(x: Any) -> Any:
    """Return the terms of s: all of second degree, and cubes; shape (n_terms, n)."""
    return array_namespace(x).concatenate([*_quadratic(x), x * x * x])


def _quadratic(x: Any) -> list[Any]:
    # By index arrays instead of a loop: XLA's compile time grows with every operation.
    first, second = np.tril_indices(len(x))
    return [array_namespace(x).ones((1, *x.shape[1:])), x, x[first] * x[second]]


def _penalty_matrix(n: int) -> np.ndarray:
    """Return the identity without its first entry, as the constant term is not penalised."""
    return np.diag(np.r_[0.0, np.ones(n - 1)])


def _fitted_log_scale(
    basis: np.ndarray, residuals: np.ndarray, weights: np.ndarray, ridge: float
) -> np.ndarray:
    """Return the maximum-likelihood coefficients of s for normal errors, by Newton's method."""
    coefficients = np.zeros(len(basis))
    coefficients[0] = 0.5 * np.log(max(float(weights @ residuals**2), _NEGLIGIBLE))
    penalty = ridge * _penalty_matrix(len(basis))
    # Without the bound of s, which is not applied here, the problem is convex.
    for _ in range(_NEWTON_STEPS):
        square = np.exp(np.clip(-2.0 * (coefficients @ basis), -50.0, 50.0)) * residuals**2
        gradient = (basis * weights) @ (1.0 - square) + penalty @ coefficients
        hessian = 2.0 * (basis * (weights * square)) @ basis.T + penalty
        floor = _NEGLIGIBLE * (1.0 + np.trace(hessian)) * np.eye(len(basis))
        step = np.linalg.solve(hessian + floor, gradient)
        step_size = min(1.0, 1.0 / float(np.max(np.abs(step), initial=1e-300)))
        coefficients = coefficients - step * step_size
    return coefficients


def _fitted_curve(standard: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return a, log b, ε and log δ, fitted to quantiles, with a penalty towards the normal."""
    from scipy.optimize import least_squares

    order = np.argsort(standard)
    cumulated = np.cumsum(weights[order]) - 0.5 * weights[order]
    quantiles = np.interp(_PROBABILITIES, cumulated, standard[order])
    normal = np.arcsinh(ndtri(_PROBABILITIES))

    def errors(curve: np.ndarray) -> np.ndarray:
        a, log_b, epsilon, log_delta = curve
        fitted = a + np.exp(log_b) * np.sinh(np.exp(log_delta) * (normal + epsilon))
        return np.concatenate([fitted - quantiles, _SHAPE_PENALTY * curve[2:]])

    return np.asarray(least_squares(errors, np.zeros(4)).x)
