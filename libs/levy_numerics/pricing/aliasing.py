"""Bounds of the quadrature error if jumps have nearly equal sizes.

Jumps of size m add exp(ium) to log φ_T: |φ_T(u)| decays and revives at multiples of 2π/m, and a
rule with distant nodes may miss all revivals. Let r be the oscillating part of log φ_T, whose log
is `Model.log_oscillating_part`. Re log φ_T never exceeds Re(log φ_T − r) + |r|, the envelope.

A revival has a standard deviation of 1/√|r| in the phase of r. If that phase changes by more than
`_MAX_PHASE_STEP` of them between nodes, the rule may miss everything between the smooth part and
the envelope, which is at most 1 − exp(−2|r|) of the envelope.
"""

import math
from typing import Any, Final

import numpy as np

from levy_numerics.jit import compiled
from levy_numerics.special import array_namespace
from levy_numerics.special_scalar import bounded_exp

_LARGEST_EXPONENT: Final = 600.0
# In standard deviations of a revival: with shorter steps of the phase the rule resolves it.
_MAX_PHASE_STEP: Final = 3.0


def envelope_gap(log_oscillation: Any) -> Any:
    """Return the distance of log|φ_T| from its envelope, |r| − Re r."""
    xp = array_namespace(log_oscillation)
    half_turn = xp.sin(0.5 * xp.imag(log_oscillation)) ** 2
    return 2.0 * xp.exp(xp.minimum(xp.real(log_oscillation), _LARGEST_EXPONENT)) * half_turn


@compiled
def raise_to_envelope(
    envelope: np.ndarray, missed: np.ndarray, log_oscillation: np.ndarray
) -> None:
    """Raise log|integrand| to its envelope, and set a bound of the aliasing error at each node.

    Parameters
    ----------
    envelope, missed : ndarray, shape (2, 2, n)
        Axes wing, parity of the node, node, as in `sinh_kernel`.
    log_oscillation : ndarray, shape (4n,)
    """
    n = envelope.shape[2]
    for wing in range(2):
        first = 2 * wing * n
        even, odd = log_oscillation[first : first + n], log_oscillation[first + n : first + 2 * n]
        for parity in range(2):
            here = odd if parity else even
            for k in range(n):
                size, sine = bounded_exp(here[k].real), math.sin(0.5 * here[k].imag)
                envelope[wing, parity, k] += 2.0 * size * sine * sine
                phase_step = abs(odd[k].imag - even[k].imag)
                missed[wing, parity, k] = 0.0
                # Negated, because NaN must count as missed.
                if not phase_step * math.sqrt(1.0 + size) <= _MAX_PHASE_STEP:
                    bound = bounded_exp(envelope[wing, parity, k])
                    missed[wing, parity, k] = -math.expm1(-2.0 * size) * bound


@compiled
def missed_between_nodes(xi_imag: np.ndarray, missed: np.ndarray, x: float) -> float:
    """Return the bound of the aliasing error on one wing, arrays (2, n), for x = ln(F/K)."""
    total = 0.0
    for parity in range(2):
        for k in range(xi_imag.shape[1]):
            if missed[parity, k] != 0.0:
                total += missed[parity, k] * bounded_exp(-xi_imag[parity, k] * x)
    return total
