"""Attribution of a network's proposal to the quotes, by integrated gradients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics.calibration.fit_quality import vols_of_quotes
from levy_numerics.calibration.weights import atm_vol_estimate
from levy_numerics.implied_volatility import black_prices
from levy_numerics.market import Quotes

Parameters = Callable[[Sequence[Quotes]], np.ndarray]
"""Surfaces ↦ parameters, shape (n_surfaces, n_parameters)."""

# Of volatility. Networks compute in single precision, so that smaller steps are lost in rounding.
_STEP: Final = 1e-3


@dataclass(frozen=True)
class Attribution:
    """Contribution of each quote to the difference from a flat surface.

    Attributes
    ----------
    contribution : ndarray, shape (n_parameters, n)
        Integrated gradient of each quote's volatility; zero where a price determines none.
    baseline : float
        Volatility of the flat surface.
    difference : ndarray, shape (n_parameters,)
        Parameters at the surface less those at the flat one: the sum of the contributions, up to
        the error of the integral.

    References
    ----------
    Sundararajan, Taly and Yan (2017), Axiomatic attribution for deep networks, ICML.
    """

    contribution: np.ndarray
    baseline: float
    difference: np.ndarray

    @property
    def completeness_error(self) -> np.ndarray:
        """Error of the sum of the contributions, relative to their sizes, (n_parameters,)."""
        error = np.abs(self.contribution.sum(axis=1) - self.difference)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(error / np.abs(self.contribution).sum(axis=1))


def integrated_gradients(parameters: Parameters, quotes: Quotes, n_steps: int) -> Attribution:
    """Integrate derivatives of a network from a flat surface to the quotes.

    The path is straight in implied volatility, the rule is that of midpoints, and the derivatives
    are central differences.

    Parameters
    ----------
    parameters : callable
        The network.
    quotes : Quotes
        n of them.
    n_steps : int
        Points of the path; each needs 2n passes.
    """
    vols = vols_of_quotes(quotes)
    baseline = atm_vol_estimate(quotes)
    moves = np.flatnonzero(vols > 0.0)
    target = np.where(vols > 0.0, vols, baseline)
    slope = np.zeros((quotes.size, 0))
    for step in range(n_steps):
        point = baseline + (step + 0.5) / n_steps * (target - baseline)
        surfaces = []
        for k in moves:
            for sign in (1.0, -1.0):
                bumped = point.copy()
                bumped[k] += sign * _STEP
                surfaces.append(with_vols(quotes, bumped))
        values = parameters(surfaces).reshape(moves.size, 2, -1)
        gradient = np.zeros((quotes.size, values.shape[2]))
        gradient[moves] = (values[:, 0] - values[:, 1]) / (2.0 * _STEP)
        slope = gradient if step == 0 else slope + gradient
    ends = parameters(
        [with_vols(quotes, np.full(quotes.size, baseline)), with_vols(quotes, target)]
    )
    contribution = (slope / n_steps * (target - baseline)[:, None]).T
    return Attribution(contribution, baseline, ends[1] - ends[0])


def with_vols(quotes: Quotes, vols: np.ndarray) -> Quotes:
    """Return the quotes at other volatilities, shape (n,), with the same spreads."""
    c = quotes.contracts
    price = black_prices(vols, c)
    if quotes.bid is None or quotes.ask is None:
        return Quotes(c, price)
    move = price - quotes.price
    return Quotes(c, price, np.maximum(quotes.bid + move, 0.0), quotes.ask + move)
