"""Jumps of nearly one size, and what a quadrature rule could step over because of them.

Jumps of size m put exp(ium) into log φ_T: |φ_T(u)| then decays and revives at multiples of 2π/m,
and nodes too far apart may meet none of the revivals. With r = exp(`Model.log_ripple`), the part of
log φ_T that oscillates, Re log φ_T never exceeds Re(log φ_T − r) + |r|: the envelope.

A revival has a standard deviation of 1/√|r| in the phase of r. Where that phase moves by more than
`LONGEST_STRIDE` of them from node to node, all that lies between the smooth part and the envelope,
1 − exp(−2|r|) of the envelope at most, may be missed by the rule: `sinh_kernel` adds it to errors.
"""

from typing import Any, Final

from levy_numerics.special import array_namespace

_LARGEST_EXPONENT: Final = 600.0
LONGEST_STRIDE: Final = 3.0


def envelope_gap(log_ripple: Any) -> Any:
    """Return by how much log|φ_T| lies below its envelope, |r| − Re r."""
    xp = array_namespace(log_ripple)
    half_turn = xp.sin(0.5 * xp.imag(log_ripple)) ** 2
    return 2.0 * xp.exp(xp.minimum(xp.real(log_ripple), _LARGEST_EXPONENT)) * half_turn
