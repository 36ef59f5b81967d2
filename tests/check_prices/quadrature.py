"""Check of the referee: Lewis's integral by adaptive Gauss-Legendre quadrature in mpmath.

No trapezoidal rule and no 80-bit number: 22 digits along Im ξ = −1/2, or along a straight ray from
−i/2 where the integrand decays too slowly there, in pieces short enough for the oscillation of
each. Seconds for one option.

References
----------
Lewis (2001), A simple option formula for general jump-diffusion and other exponential Lévy
processes, eq. (3.11).
"""

from typing import Any, Final

import mpmath as mp

from tests.check_prices.transforms import Transform

_MOST_PIECES: Final = 300
_NEGLIGIBLE: Final = mp.mpf("1e-21")
_DIGITS: Final = 22


class TooManyPiecesError(ArithmeticError):
    """The integrand oscillates, and does not decay."""


def covered_call(transform: Transform, strike: float, angle: float = 0.0) -> Any:
    """Return E[min(S, K)] for a forward of one, to about 19 digits.

    Parameters
    ----------
    transform : Transform
    strike : float
        In units of the forward.
    angle : float
        Of the ray to the real axis, radians; 0 is always admissible.

    Raises
    ------
    TooManyPiecesError
        The line is not the right one for this transform.
    """
    with mp.workdps(_DIGITS):
        with mp.workdps(transform.digits):
            transform_of = transform.in_many_digits()
        x, direction = -mp.log(mp.mpf(strike)), mp.expj(angle)

        def integrand(y: Any) -> Any:
            xi = direction * mp.sinh(y) / 2 - mp.mpc(0, 1) / 2
            slope = direction * mp.cosh(y) / 2
            with mp.workdps(transform.digits):
                exponent = transform_of(xi)
            value = mp.exp(mp.mpc(0, 1) * xi * x + exponent) * slope
            return mp.re(value / (xi * (xi + mp.mpc(0, 1))))

        total, start = mp.mpf(0), mp.mpf(0)
        for _ in range(_MOST_PIECES):
            step = min(mp.mpf(1) / 2, 20 / ((1 + abs(x)) * mp.cosh(start)))
            piece = mp.quad(integrand, [start, start + step], method="gauss-legendre", maxdegree=9)
            total, start = total + piece, start + step
            ends = (start, start + step / 3, start + step, start + 3 * step)
            if abs(piece) < _NEGLIGIBLE and all(abs(integrand(y)) < _NEGLIGIBLE for y in ends):
                return mp.mpf(strike) * total / mp.pi
    raise TooManyPiecesError(transform)
