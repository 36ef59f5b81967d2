"""Signs of early exercise in quotes that are read as European.

Call minus put of European options is a line in the strike. The early-exercise premium grows with
the distance in the money, on the put side where rates exceed dividend yields and on the call side
otherwise, so that call minus put of American options bends by more than the bid-ask spread.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_surfaces.notes import first_of
from levy_surfaces.parity import Pairs, ParityLine

_MIN_PAIRS: Final = 6
_MIN_MATURITY_YEARS: Final = 7.0 / 365.0
"""Premiums of shorter options are below usual spreads."""
_MIN_STATISTIC: Final = 4.0
"""t statistic of the curvature with bids and asks. S&P 500 options reach 9, but not its size."""
_MIN_STATISTIC_MID_ONLY: Final = 8.0
_MIN_BEND: Final = 1e-3
"""Bend over half the range of strikes, as a fraction of the strike."""
_MIN_BEND_OF_SPREAD: Final = 1.0
"""The same, over the median of the spreads of call and put together."""
_MIN_SHARE: Final = 0.5
"""Share of the expiries with enough pairs that must show the signs."""
_IMPLAUSIBLE_RATE: Final = -0.01


@dataclass(frozen=True)
class ParityBend:
    """Curvature of call minus put within one series.

    Attributes
    ----------
    statistic : float
        Curvature over its standard error; negative where calls fall behind at high strikes.
    bend : float
        Deviation at the ends of the range of strikes, as a fraction of the strike.
    bend_of_spread : float
        The same over the median of the spreads; NaN without bids and asks.
    rate : float
        Continuous rate that the slope implies; NaN where it implies none.
    """

    statistic: float
    bend: float
    bend_of_spread: float
    rate: float

    @classmethod
    def of(cls, near: Pairs, line: ParityLine | None, years: float) -> "ParityBend | None":
        """Fit a parabola to pairs near the money; return None for too few, or a short maturity.

        Parameters
        ----------
        near : Pairs
        line : ParityLine or None
            The line fitted to them.
        years : float
        """
        if line is None or near.size < _MIN_PAIRS or years < _MIN_MATURITY_YEARS:
            return None
        strike = near.strike
        position = 2.0 * (strike - strike.mean()) / np.ptp(strike)
        noise = near.relative_noise()
        powers = np.vander(position, 3, increasing=True) / noise[:, None]
        values = near.difference / noise
        coefficients = np.linalg.lstsq(powers, values, rcond=None)[0]
        residual = values - powers @ coefficients
        variance = float(residual @ residual) / (near.size - powers.shape[1])
        scale = max(np.sqrt(variance), near.rounding, 1e-9 * float(strike.mean()))
        error = scale * np.sqrt(np.linalg.inv(powers.T @ powers)[2, 2])
        bend = float(coefficients[2])
        known = near.spread[near.spread > 0]
        return cls(
            statistic=bend / float(error),
            bend=abs(bend) / float(strike.mean()),
            bend_of_spread=abs(bend) / float(np.median(known)) if known.size else np.nan,
            rate=float(-np.log(line.discount) / years) if line.discount > 0 else np.nan,
        )

    @property
    def is_american(self) -> bool:
        """Whether the bend is significant, and larger than spreads and noise explain."""
        if self.bend < _MIN_BEND:
            return False
        if np.isnan(self.bend_of_spread):
            return abs(self.statistic) > _MIN_STATISTIC_MID_ONLY
        is_significant = abs(self.statistic) > _MIN_STATISTIC
        return is_significant and self.bend_of_spread > _MIN_BEND_OF_SPREAD


def american_warning(bends: Mapping[str, ParityBend | None]) -> tuple[str, ...]:
    """Return a warning if quotes read as European look American.

    Parameters
    ----------
    bends : mapping of str to ParityBend
        By expiry; None where there are too few pairs.
    """
    measured = {name: bend for name, bend in bends.items() if bend is not None}
    american = {name: bend for name, bend in measured.items() if bend.is_american}
    if not american or len(american) < _MIN_SHARE * len(measured):
        return ()
    details = [f"{name}: {_described(bend)}" for name, bend in american.items()]
    return (
        "these quotes look American: call minus put bends with the strike by more than the bid-ask "
        f"spread ({first_of(details)}), and fitted as European they give wrong forwards and "
        "volatilities; set exercise american, or european if they are known to be",
    )


def _described(bend: ParityBend) -> str:
    spread = "" if np.isnan(bend.bend_of_spread) else f", {bend.bend_of_spread:.1f} spreads"
    rate = f", implied rate {bend.rate:.1%}" if bend.rate < _IMPLAUSIBLE_RATE else ""
    return f"by {bend.bend:.2%} of the strike{spread}{rate}"
