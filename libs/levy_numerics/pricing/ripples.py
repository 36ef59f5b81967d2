"""Jumps of nearly one size, and what a sum could step over because of them.

Jumps of size m put exp(ium) into log φ_T: |φ_T(u)| then dies out and revives at multiples of
2π/m, and nodes too far apart may meet none of the revivals. With r = exp(log ripple), the part
of log φ_T that turns, Re log φ_T never exceeds Re(log φ_T − r) + |r|.
"""

from typing import Any, Final

from levy_numerics.special import array_namespace

_LARGEST_EXPONENT: Final = 600.0
LONGEST_STRIDE: Final = 3.0


def rise(log_ripple: Any) -> Any:
    """How far log|φ_T| stands below its envelope, |r| − Re r."""
    xp = array_namespace(log_ripple)
    turn = xp.sin(0.5 * xp.imag(log_ripple)) ** 2
    return 2.0 * xp.exp(xp.minimum(xp.real(log_ripple), _LARGEST_EXPONENT)) * turn


def hidden(log_ripple: Any, envelope: Any) -> Any:
    """What a node's neighbourhood may hide from the sum, on the scale of its terms.

    A revival has a standard deviation of 1/√|r| in the ripple's phase. Where the phase moves by
    more than three of them from node to node, or by half a turn, all that lies between smooth
    part and envelope may go unseen.

    Parameters
    ----------
    log_ripple : complex array, shape (…, n_maturities, 2, 2, n_nodes / 2)
    envelope : array, same shape
        Of the logarithm of the terms.
    """
    xp = array_namespace(log_ripple, envelope)
    size = xp.exp(xp.minimum(xp.real(log_ripple), _LARGEST_EXPONENT))
    phase = xp.imag(log_ripple)
    stride = xp.abs(phase[..., 1:, :] - phase[..., :1, :])
    seen = stride * xp.sqrt(1.0 + size) <= LONGEST_STRIDE
    most = xp.exp(xp.minimum(envelope, _LARGEST_EXPONENT))
    return xp.where(seen, 0.0, -xp.expm1(-2.0 * size) * most)
