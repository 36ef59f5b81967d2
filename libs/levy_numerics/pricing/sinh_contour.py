"""Sinh-deformed contour of integration, on which a few nodes suffice.

ξ(y) = iω₁ + b·sinh(iω + y) crosses the imaginary axis between the poles of the payoff at −i and 0,
where E[min(S, K)] is the integral of exp(iξx)φ_T(ξ)/(ξ(ξ + i)). The integrand is analytic in that
strip for every model with finite E[S_T], so one contour serves all parameter sets. Only the side
differs: the wings bend up, or down (the mirror image about −i/2).

The two poles are the singularities nearest to the contour, and their residues are known: the
forward and the strike. Their contribution to the error of the trapezoidal rule, q(F + K) with
q = 1/(exp(2πd/h) − 1), is subtracted exactly. This gains three digits, or saves a third of the
nodes.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np

from levy_numerics.jit import compiled, compiled_in_order, compiled_without_lock
from levy_numerics.special import cos_and_sin
from levy_numerics.special_scalar import bounded_exp

# Largest angle ω of the wings: half of the π/4 up to which a Gaussian characteristic function
# decays, so that the integrand is moderate for |Im y| < ω, for all models of order up to 2.
TILT: Final = math.pi / 8
# Angles in use, by tilt index. The last serves all narrower sectors, such as those of jumps that
# vary by 1% only.
TILTS: Final = TILT * 2.0 ** (-0.5 * np.arange(14))
_POLE_DISTANCE: Final = TILT
# Measured over all models: without the contribution of the poles the error of the rule is at most
# 0.013·exp(−2.7ω/(TILT·h)).
_EMPIRICAL_CONSTANT: Final = 0.02
_EMPIRICAL_RATE: Final = 2.7 / TILT
_COARSE_SAFETY: Final = 0.025
# SAFETY times the squared error of the coarse rule bounds the error of the fine rule: errors are
# c·q and c·q², and c is at least 0.002.
SAFETY: Final = 500.0
# For reported errors: after the step has been halved the estimate is slightly too small.
STATED_SAFETY: Final = 1.5 * SAFETY
_FLAT_SAFETY: Final = 20.0
# Without it π/4 itself would be rounded to the next tilt.
_ROUNDING: Final = 1e-9
# At these nodes the side of the contour is chosen and rounding errors are estimated.
N_PROBES: Final = 9
# Reordering would destroy the exact reduction of angles.
_cos_and_sin: Final = compiled_in_order(cos_and_sin)
_Arrays = tuple[np.ndarray, ...]


def step_for(tolerance: float, tilt: float = TILT) -> float:
    """Return the step h at which `SAFETY` times the squared coarse error equals `tolerance`."""
    coarse_error = math.sqrt(tolerance / SAFETY)
    return 0.5 * _EMPIRICAL_RATE * tilt / math.log(_COARSE_SAFETY / coarse_error)


def tilt_index(sector: np.ndarray | float) -> np.ndarray:
    """Return the index into `TILTS` of the largest angle with an equal margin above it.

    Parameters
    ----------
    sector : float or ndarray
        Half-angle in which the characteristic function stays moderate, radians.
    """
    steps = np.ceil(2.0 * np.log2(2.0 * TILT / sector) - _ROUNDING)
    return np.asarray(np.clip(steps, 0, len(TILTS) - 1), dtype=int)


def sectors_of(index: int) -> tuple[float, float]:
    """Return the sectors, from … to below …, for which a contour with this tilt is used again.

    It suits all from the first. A wider tilt would need fewer nodes, but changing between contours
    costs more than a few nodes up to the second, where `tilt_index` is less by two.
    """
    last = len(TILTS) - 1
    narrowest = 0.0 if index == last else 2.0 * float(TILTS[index]) * (1.0 - _ROUNDING)
    return narrowest, math.inf if index < 2 else 2.0 * float(TILTS[index - 2]) * (1.0 - _ROUNDING)


@dataclass(frozen=True, eq=False)
class Contour:
    """Nodes and weights of the trapezoidal rule in y, for wings up [0] and wings down [1].

    Even nodes [:, 0] and odd nodes [:, 1] are separate: twice the sum over even nodes is the rule
    with step 2h, and the difference of both rules estimates the error. Contours are compared by
    identity; `sinh_contour` caches them.

    Attributes
    ----------
    step : float
        h, the spacing in y.
    nodes : ndarray of complex, shape (2, 2, n_nodes / 2)
        ξ(kh), k = 0, 1, …
    log_weights : ndarray of complex, shape (2, 2, n_nodes / 2)
        log of h·ξ′(kh)/(πξ(ξ + i)), half at k = 0: the integrand's real part is even in y.
    pole_error, coarse_pole_error : float
        q for steps h and 2h.
    empirical_error : float
        c·q², the usual error of the rule, as a fraction of F + K.
    empirical_rate : float
        q, the ratio of the errors with steps h and 2h.
    linear_safety : float
        Multiple of the difference of both rules that is added to the error. Zero on tilted
        contours. On a flat one exp(iξx) does not decay, and convergence is linear.
    """

    step: float
    nodes: np.ndarray
    log_weights: np.ndarray
    pole_error: float
    coarse_pole_error: float
    empirical_error: float
    empirical_rate: float
    linear_safety: float

    @property
    def n_nodes(self) -> int:
        """Number of nodes on one half of one contour."""
        return 2 * int(self.nodes.shape[-1])

    @cached_property
    def xi_real(self) -> np.ndarray:
        """Re ξ, shape (2, 2, n_nodes / 2)."""
        return self.nodes.real.copy()

    @cached_property
    def xi_imag(self) -> np.ndarray:
        """Im ξ, of the same shape."""
        return self.nodes.imag.copy()

    @cached_property
    def nodes_for_kernel(self) -> tuple[np.ndarray, ...]:
        """Re ξ, Im ξ, log weights, and indices of the probes: arguments of `sinh_kernel`."""
        return self.xi_real, self.xi_imag, self.log_weights, self.probes

    @cached_property
    def rule_for_kernel(self) -> tuple[float, ...]:
        """Error by the poles (h, 2h), empirical error and rate, 1 − exp(−h), linear safety."""
        poles, step = (self.pole_error, self.coarse_pole_error), -math.expm1(-self.step)
        return *poles, self.empirical_error, self.empirical_rate, step, self.linear_safety

    @cached_property
    def probes(self) -> np.ndarray:
        """Indices of a few odd nodes, about evenly spaced from the first to the last."""
        n = self.nodes.shape[-1]
        return np.unique(np.linspace(0, n - 1, min(n, N_PROBES)).round().astype(int))

    @cached_property
    def frequencies(self) -> np.ndarray:
        """All nodes in one row, then −i, where log φ_T is the forward's; shape (2·n_nodes + 1,)."""
        return np.append(self.nodes.ravel(), -1j)

    @cached_property
    def probe_positions(self) -> np.ndarray:
        """Indices into `frequencies` of the probes of both wings, and −i; (2·n_probes + 1,)."""
        n = self.nodes.shape[-1]
        return np.concatenate([n + self.probes, 3 * n + self.probes, [4 * n]])

    @cached_property
    def probe_frequencies(self) -> np.ndarray:
        """ξ at `probe_positions`."""
        return np.asarray(self.frequencies[self.probe_positions])


@lru_cache(maxsize=256)
def sinh_contour(tilt: float, step: float, n_nodes: int, margin: float | None = None) -> Contour:
    """Return the contour on which the poles at −i and 0 lie π/8 from the line Im y = `tilt`.

    Parameters
    ----------
    tilt : float
        Angle of the wings, radians.
    step : float
    n_nodes : int
        Even.
    margin : float, optional
        Angle by which the wings could rise further before the characteristic function grows
        along them; by default the tilt.

    References
    ----------
    Boyarchenko and Levendorskiĭ (2019), IJTAF 22(3), 1950011, eq. (2.14). Trefethen and
    Weideman (2014), SIAM Review 56(3), 385-458, section 5 (error by residues).
    """
    b = 1.0 / (2.0 * math.cos(tilt) * math.sin(_POLE_DISTANCE))
    omega_1 = -b * math.sin(tilt + _POLE_DISTANCE)
    y = step * np.arange(n_nodes).reshape(-1, 2).T + 1j * tilt
    up, slope = 1j * omega_1 + b * np.sinh(y), b * np.cosh(y)
    nodes = np.stack([up, np.conj(up) - 1j])
    weights = step / math.pi * np.stack([slope, np.conj(slope)]) / (nodes * (nodes + 1j))
    weights[:, 0, 0] *= 0.5  # the integral starts at y = 0
    log_weights = np.log(weights)
    rate = math.exp(-0.5 * _EMPIRICAL_RATE * min(tilt if margin is None else margin, TILT) / step)
    # The cache shares contours between pricers and threads.
    for array in (nodes, log_weights):
        array.setflags(write=False)
    return Contour(
        step,
        nodes,
        log_weights,
        _geometric(2.0 * math.pi * _POLE_DISTANCE / step),
        _geometric(math.pi * _POLE_DISTANCE / step),
        _EMPIRICAL_CONSTANT * rate**2,
        rate,
        0.0 if tilt > 0.0 else _FLAT_SAFETY,
    )


def _geometric(a: float) -> float:
    """Return 1/(eᵃ − 1), the sum of e⁻ᵃᵏ over k ≥ 1, for a > 0 of any size."""
    return math.exp(-a) / -math.expm1(-a)


@compiled_without_lock
def phase_factors(x: np.ndarray, xi_real: np.ndarray, xi_imag: np.ndarray) -> np.ndarray:
    """Return exp(iξx) of every option, shape (n_maturities, n_columns, 2, 2, 2, n).

    The last axes are wing, parity of the node, real and imaginary part, and node.

    Parameters
    ----------
    x : ndarray, shape (n_maturities, n_columns)
        ln(F/K).
    xi_real, xi_imag : ndarray, shape (2, 2, n)
        Nodes by wing and parity.
    """
    n = xi_real.shape[2]
    factors, cosine, sine = np.empty((*x.shape, 2, 2, 2, n)), np.empty(n), np.empty(n)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            for parity in range(2):
                # The wings are mirror images with equal Re ξ.
                for k in range(n):
                    cosine[k], sine[k] = _cos_and_sin(xi_real[0, parity, k] * x[i, j])
                for wing in range(2):
                    height = xi_imag[wing, parity]
                    real = factors[i, j, wing, parity, 0]
                    imag = factors[i, j, wing, parity, 1]
                    for k in range(n):
                        real[k] = bounded_exp(-height[k] * x[i, j])
                    for k in range(n):
                        imag[k] = real[k] * sine[k]
                        real[k] *= cosine[k]
    return factors


@compiled
def set_wave(
    wave: np.ndarray, logs: _Arrays, nodes: _Arrays, wing: int, x: float, end: int
) -> None:
    """Set exp(log_size + i·angle + iξx), axes parity, real and imaginary part, node."""
    for parity in range(2):
        real, imag = wave[parity, 0, :end], wave[parity, 1, :end]
        log_size, angle = logs[0][wing, parity, :end], logs[1][wing, parity, :end]
        xi_real, xi_imag = nodes[0][wing, parity, :end], nodes[1][wing, parity, :end]
        for k in range(len(real)):
            real[k] = bounded_exp(log_size[k] - xi_imag[k] * x)
        for k in range(len(real)):
            cosine, sine = _cos_and_sin(angle[k] + xi_real[k] * x)
            imag[k] = real[k] * sine
            real[k] *= cosine
