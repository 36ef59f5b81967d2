"""Error estimates of `sinh_kernel`: rounding, the quadrature rule, aliasing, truncation."""

import math
from typing import Final

import numpy as np

from levy_numerics.jit import compiled
from levy_numerics.pricing.aliasing import missed_between_nodes
from levy_numerics.special_scalar import bounded_exp

_UNIT_ROUNDING: Final = 0.5 * np.finfo(float).eps
# Radians between nodes: with smaller ones the rules with steps h and 2h do not agree by chance.
_MAX_PHASE_STEP: Final = 2.0
_Arrays = tuple[np.ndarray, ...]


@compiled
def log_rounding(contour: _Arrays, magnitude: np.ndarray, step: float) -> np.ndarray:
    """Return the log of the rounding error of a row of log φ_T(ξ) + iξω_T at the probes.

    Each term is accurate to a unit in the last place, before terms cancel. A sum over nodes that
    are a step apart in log |ξ| is about 1/step times its largest summand.
    """
    xi_real, xi_imag, _, probes = contour
    scale = np.empty((2, len(probes)))
    for wing in range(2):
        for p in range(len(probes)):
            size = math.hypot(xi_real[wing, 1, probes[p]], xi_imag[wing, 1, probes[p]])
            term = magnitude[wing * len(probes) + p] + size * magnitude[-1]
            # NaN becomes an infinite error: an overflow invalidates the row.
            scale[wing, p] = math.log(larger(0.0, _UNIT_ROUNDING / step * term))
    return scale


@compiled
def add_errors(
    error: np.ndarray,
    excess: np.ndarray,
    of_rule: float,
    options: _Arrays,
    contour: _Arrays,
    rule: tuple[float, ...],
    wings: np.ndarray,
    logs: _Arrays,
    envelope: np.ndarray,
    missed: np.ndarray,
) -> None:
    """Add the errors of rule, aliasing and truncation to the rounding errors of one maturity.

    Parameters
    ----------
    error, excess, options, contour, rule
        Slices of those of `sinh_kernel.fourier_sums` for the maturity.
    of_rule : float
        Error of the rule per unit of 1 + F/K.
    wings : ndarray of int, shape (n_columns,)
    logs : tuple of ndarray, shape (2, 2, n)
        Real and imaginary part of the log of the integrand without exp(iξx).
    envelope, missed : ndarray, shape (2, 2, n)
        Of log|integrand| without exp(iξx); see `aliasing.raise_to_envelope`.
    """
    (xi_real, xi_imag, _, _), (x_of, ratio, allowed) = contour, options
    for j in range(len(wings)):
        if not allowed[j] < np.inf:
            error[j] = 0.0
            continue
        x, wing = x_of[j], wings[j]
        improvable = of_rule * (1.0 + ratio[j])
        if len(missed):
            improvable += missed_between_nodes(xi_imag[wing], missed[wing], x)
        if rule[5] > 0.0:
            improvable += _unresolved(logs, contour, wing, x)
        # The omitted terms decay at least as fast as |dξ/ξ²|, a geometric series in y.
        last = envelope[wing, 1, -1] - xi_imag[wing, 1, -1] * x
        if rule[6] > 0.0:
            last += rule[6] * math.log(math.hypot(xi_real[wing, 1, -1], xi_imag[wing, 1, -1]))
        truncation = bounded_exp(min(last, 0.0)) / rule[4]
        improvable += truncation
        error[j] = larger(0.0, error[j] + improvable)
        excess[0] = larger(excess[0], improvable / allowed[j])
        excess[1] = larger(excess[1], truncation / allowed[j])


@compiled
def _unresolved(logs: _Arrays, contour: _Arrays, wing: int, x: float) -> float:
    """Return the sum of |integrand| at nodes of a flat contour with a large change of phase.

    There the rules with steps h and 2h may agree on the same wrong value, if |φ_T| revives where
    exp(iξx) makes a full turn between nodes.
    """
    xi_real, xi_imag, _, _ = contour
    total = 0.0
    for k in range(xi_real.shape[2]):
        phase_step = logs[1][wing, 1, k] - logs[1][wing, 0, k]
        phase_step += (xi_real[wing, 1, k] - xi_real[wing, 0, k]) * x
        if not abs(phase_step) <= _MAX_PHASE_STEP:
            for parity in range(2):
                total += bounded_exp(logs[0][wing, parity, k] - xi_imag[wing, parity, k] * x)
    return total


@compiled
def larger(a: float, b: float) -> float:
    """Return the larger of two numbers, infinity if the second is NaN."""
    # `max` alone would ignore NaN, depending on the order of its arguments.
    return max(a, b) if b == b else np.inf
