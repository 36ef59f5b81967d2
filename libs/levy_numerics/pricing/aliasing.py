"""Jumps of nearly one size, and what a quadrature rule could step over because of them.

Jumps of size m put exp(ium) into log φ_T: |φ_T(u)| then decays and revives at multiples of 2π/m,
and nodes too far apart may meet none of the revivals. With r = exp(`Model.log_ripple`), the part of
log φ_T that oscillates, Re log φ_T never exceeds Re(log φ_T − r) + |r|: the envelope.

A revival has a standard deviation of 1/√|r| in the phase of r. Where that phase moves by more than
`_LONGEST_STRIDE` of them from node to node, the rule may miss all that lies between the smooth part
and the envelope: 1 − exp(−2|r|) of the envelope at most.
"""

import math
from typing import Any, Final

import numpy as np

from levy_numerics.exponential import bounded_exp
from levy_numerics.jit import compiled
from levy_numerics.special import array_namespace

_LARGEST_EXPONENT: Final = 600.0
_LONGEST_STRIDE: Final = 3.0


def envelope_gap(log_ripple: Any) -> Any:
    """Return by how much log|φ_T| lies below its envelope, |r| − Re r."""
    xp = array_namespace(log_ripple)
    half_turn = xp.sin(0.5 * xp.imag(log_ripple)) ** 2
    return 2.0 * xp.exp(xp.minimum(xp.real(log_ripple), _LARGEST_EXPONENT)) * half_turn


@compiled
def raise_to_envelope(envelope: np.ndarray, missed: np.ndarray, log_ripple: np.ndarray) -> None:
    """Raise log|integrand| to its envelope, and set what the rule may miss about each node.

    Parameters
    ----------
    envelope, missed : ndarray, shape (2, 2, n)
        By wing and parity of the node, as in `sinh_kernel`.
    log_ripple : ndarray, shape (4n,)
    """
    n = envelope.shape[2]
    for wing in range(2):
        first = 2 * wing * n
        even, odd = log_ripple[first : first + n], log_ripple[first + n : first + 2 * n]
        for parity in range(2):
            here = odd if parity else even
            for k in range(n):
                size, sine = bounded_exp(here[k].real), math.sin(0.5 * here[k].imag)
                envelope[wing, parity, k] += 2.0 * size * sine * sine
                stride = abs(odd[k].imag - even[k].imag)
                missed[wing, parity, k] = 0.0
                if not stride * math.sqrt(1.0 + size) <= _LONGEST_STRIDE:
                    most = bounded_exp(envelope[wing, parity, k])
                    missed[wing, parity, k] = -math.expm1(-2.0 * size) * most


@compiled
def missed_between_nodes(xi_imag: np.ndarray, missed: np.ndarray, x: float) -> float:
    """Return the sum of what the rule may miss on one wing, shape (2, n), for x = ln(F/K)."""
    total = 0.0
    for parity in range(2):
        for k in range(xi_imag.shape[1]):
            if missed[parity, k] != 0.0:
                total += missed[parity, k] * bounded_exp(-xi_imag[parity, k] * x)
    return total
