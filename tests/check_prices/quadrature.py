"""The referee's own check: Lewis's integral by adaptive Gauss-Legendre quadrature in mpmath.

No bend, no trapezoidal rule and no 80-bit number: 30 digits along Im ξ = −1/2, in pieces short
enough for the oscillation of each. Seconds for one option.

References
----------
Lewis (2001), A simple option formula for general jump-diffusion and other exponential Lévy
processes, eq. (3.11).
"""

from typing import Any, Final

import mpmath as mp

from tests.check_prices.transforms import Transform

_MOST_PIECES: Final = 300
_NEGLIGIBLE: Final = mp.mpf("1e-24")


class TooManyPiecesError(ArithmeticError):
    """The integrand oscillates, and does not decay."""


def covered_call(transform: Transform, strike: float) -> Any:
    """Return E[min(S, K)] for a forward of one, to about 20 digits.

    Raises
    ------
    TooManyPiecesError
        The line is not the right one for this transform.
    """
    with mp.workdps(max(30, transform.digits)):
        transform_of = transform.in_many_digits()
        x = -mp.log(mp.mpf(strike))

        def integrand(y: Any) -> Any:
            xi = mp.mpc(mp.sinh(y) / 2, mp.mpf(-1) / 2)
            slope = mp.cosh(y) / 2
            value = mp.exp(mp.mpc(0, 1) * xi * x + transform_of(xi)) * slope
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
