"""Grid of the log price, and the law of the log-return on it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from scipy import fft

from levy_numerics.models.admissibility import required_drift
from levy_numerics.models.base import LevyModel
from levy_numerics.pricing.early_exercise import kinks

_ALIASES: Final = np.arange(-2, 3)
_MIN_NODES: Final = 2**7
_MAX_NODES: Final = 2**14
_MAX_WIDTH: Final = 60.0
"""Of either half of the grid; tails that reach further are cut, which the error states."""
_TAPER: Final = 0.15
"""Fraction of the left half over which the payoff tends to zero, so that it is periodic."""
_RESOLVED: Final = -60.0
"""Log of the transform at the highest frequency below which a coarser grid suffices."""
_MOMENTS: Final = np.geomspace(1e-3, 0.999, 64)
_MAX_MOMENT: Final = 60.0


@dataclass(frozen=True)
class Side:
    """Law of the log-return under which an option is a put with strike 1.

    Attributes
    ----------
    model : LevyModel
    is_call : bool
        Whether the option is a call: the state is then ln(K/S), the numeraire the stock.
    """

    model: LevyModel
    is_call: bool

    @cached_property
    def drift(self) -> float:
        """ω = −log E[exp(X₁)]."""
        return float(required_drift(self.model, 1.0))

    @property
    def sign(self) -> float:
        """−1 for calls, whose state is the negative of ln(S/K)."""
        return -1.0 if self.is_call else 1.0

    def exponent(self, u: np.ndarray) -> np.ndarray:
        """Return ψ(u) with drift correction, without carry."""
        if self.is_call:
            return np.asarray(self.model.exponent(-u - 1j) + self.drift - 1j * u * self.drift)
        return np.asarray(self.model.exponent(u + 0j) + 1j * u * self.drift)

    def rates(self, rate: Any, carry: Any) -> tuple[Any, Any]:
        """Return the discount rate and the carry of the state, given those of the stock."""
        return (rate - carry, -carry) if self.is_call else (rate, carry)

    def reach(self, years: float, carry: float, log_mass: float, direction: float) -> float:
        """Return the distance that the state exceeds with a probability exp(log_mass) (Chernoff).

        `carry` is that of the state, `direction` 1 for upward moves, −1 for downward ones.
        """
        low, high = (float(side) for side in self.model.exponent_strip())
        ends = (high + 1.0, low - 1.0) if self.is_call else (low, high)
        end = ends[0] if direction > 0 else ends[1]
        spread = self.standard_deviation(years)
        s = _MOMENTS * min(end, _MAX_MOMENT / spread)
        with np.errstate(all="ignore"):
            log_moment = years * (
                np.real(self.exponent(-1j * direction * s)) + direction * s * carry
            )
        log_moment = np.where(np.isfinite(log_moment), log_moment, np.inf)
        return float(min(np.min((log_moment - log_mass) / s), _MAX_WIDTH))

    def standard_deviation(self, years: float) -> float:
        """Return that of the log-return under the pricing measure."""
        return float(np.sqrt(self.model.annual_cumulants()[1] * years))


@dataclass(frozen=True)
class Grid:
    """Uniform periodic grid with a node at zero.

    Attributes
    ----------
    side : Side
    spacing : float
    first : int
        Number of the first node; its value is first·spacing.
    n_nodes : int
    """

    side: Side
    spacing: float
    first: int
    n_nodes: int

    @classmethod
    def of(
        cls,
        side: Side,
        *,
        reach: tuple[float, float],
        spacing: float,
        first_step: float,
        coarsening: float,
    ) -> "Grid":
        """Return a grid that covers an interval about zero.

        Parameters
        ----------
        side : Side
        reach : (float, float)
            Lengths left and right of zero.
        spacing : float
            Largest spacing, unless the shortest step's transform is resolved by a coarser grid.
        first_step : float
            Years of the shortest step.
        coarsening : float
            Factor of the spacing.
        """
        left, right = reach[0] / (1.0 - _TAPER), reach[1]
        width = left + right
        exponent = side.exponent
        while (
            spacing < 0.02 * width
            and np.real(exponent(np.array([0.5 * np.pi / spacing])))[0] * first_step < _RESOLVED
        ):
            spacing *= 2.0
        n_nodes = int(np.clip(np.ceil(width / spacing / coarsening), _MIN_NODES, _MAX_NODES))
        n_nodes = 2 * int(fft.next_fast_len((n_nodes + 1) // 2, real=True))
        spacing = width / n_nodes
        return cls(side, spacing, -int(np.ceil(left / spacing)), n_nodes)

    @cached_property
    def x(self) -> np.ndarray:
        """Nodes, shape (n_nodes,)."""
        return self.spacing * np.arange(self.first, self.first + self.n_nodes)

    @cached_property
    def payoff(self) -> np.ndarray:
        """1 − exp(x), also where negative; tapered to zero at the left end, shape (n_nodes,)."""
        depth = (self.x - self.x[0]) / (-_TAPER * self.x[0])
        # A step function whose derivatives vanish at both ends.
        with np.errstate(all="ignore"):
            rise = 1.0 / (1.0 + np.exp(np.clip(1.0 / depth - 1.0 / (1.0 - depth), -700.0, 700.0)))
        taper = np.where(depth <= 0.0, 0.0, np.where(depth >= 1.0, 1.0, rise))
        return np.asarray((1.0 - np.exp(np.minimum(self.x, 300.0))) * taper)

    @cached_property
    def _frequencies(self) -> np.ndarray:
        """Frequencies and their aliases, shape (n_aliases, n_nodes/2 + 1)."""
        base = 2.0 * np.pi * np.arange(self.n_nodes // 2 + 1) / (self.n_nodes * self.spacing)
        return base + (2.0 * np.pi / self.spacing) * _ALIASES[:, None]

    @cached_property
    def _exponents(self) -> np.ndarray:
        return np.asarray(self.side.exponent(self._frequencies))

    @cached_property
    def _spline(self) -> np.ndarray:
        """Weights of the aliases, which sum to one."""
        size = np.sinc(self._frequencies * self.spacing / (2.0 * np.pi)) ** 4
        return np.asarray(size / size.sum(axis=0))

    def symbol(self, step: float, rate: float, carry: float) -> np.ndarray:
        """Return the multiplier of the transform over a step, shape (n_nodes/2 + 1,)."""
        growth = np.exp((self._exponents + 1j * carry * self._frequencies - rate) * step)
        return np.asarray((self._spline * growth).sum(axis=0))

    def generator(self, rate: float, carry: float) -> np.ndarray:
        """Return the multiplier of the derivative in the time to go."""
        middle = _ALIASES.size // 2
        return np.asarray(self._exponents[middle] + 1j * carry * self._frequencies[middle] - rate)

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Return the transform of rows of values."""
        return np.asarray(fft.rfft(values, axis=-1, workers=1))

    def inverse(self, transform: np.ndarray) -> np.ndarray:
        """Return rows of values from their transform."""
        return np.asarray(fft.irfft(transform, self.n_nodes, axis=-1, workers=1))

    def interpolate(self, values: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return values and first and second derivatives at points, by polynomials of degree 5.

        Parameters
        ----------
        values : ndarray, shape (k, n_nodes)
            One row for each point.
        at : ndarray, shape (k,)
        """
        position = at / self.spacing - self.first
        left = np.clip(np.floor(position).astype(int), 2, self.n_nodes - 4)
        samples = np.take_along_axis(values, left[:, None] + kinks.NODES, axis=-1)
        value, slope, curvature, _ = kinks.derivatives(samples, position - left).T
        return value, slope / self.spacing, curvature / self.spacing**2
