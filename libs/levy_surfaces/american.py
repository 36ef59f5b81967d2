"""Remove the early-exercise premium from American quotes, by the fitted model itself.

The premium that the fitted model gives to each quote is subtracted, forwards are derived from the
European equivalents by put-call parity, and the model is fitted again, until premiums repeat. The
fixed point is consistent: the model's American prices differ from the quotes by the residuals of
the fit to European equivalents.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Generic, Protocol, TypeVar

import numpy as np

from levy_numerics import pricing
from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts
from levy_numerics.models.base import Model
from levy_numerics.pricing.early_exercise import Terms
from levy_numerics.surface import Surface
from levy_surfaces.cleaning import CleaningRules, clean
from levy_surfaces.reading import QuoteTable

_MAX_FITS: Final = 20
_TOLERANCE: Final = 2e-5
"""Change of a premium, as a fraction of the spot, at which the iteration ends."""
_PREMIUM_TOLERANCE: Final = 1e-5


class Fitted(Protocol):
    """A fit, as of `calibration.calibrate`."""

    @property
    def model(self) -> Model:
        """The fitted model."""


F = TypeVar("F", bound=Fitted)


@dataclass(frozen=True)
class AmericanFit(Generic[F]):
    """A fit to the European equivalents of American quotes.

    Attributes
    ----------
    surface : Surface
        Cleaned European equivalents; forwards by put-call parity between them.
    fit : object
        The last fit.
    premium : ndarray, shape (surface.size,)
        Early-exercise premium that was subtracted from each quote, in currency.
    n_fits : int
    change : float
        Largest difference of premiums between the last two fits, in currency.
    """

    surface: Surface
    fit: F
    premium: np.ndarray
    n_fits: int
    change: float

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what was subtracted from the quotes, and whether the iteration converged."""
        share = self.premium / (self.surface.quotes.price + self.premium)
        about = (
            "American quotes: the early-exercise premium of the fitted model was subtracted, up to "
            f"{self.premium.max():.4g} (mean {self.premium.mean():.4g}, at most "
            f"{share.max():.1%} of the price), and prices, volatilities and forwards are those of "
            f"the European equivalents; {self.n_fits} fits"
        )
        if self.change <= _TOLERANCE * (self.surface.spot or np.inf):
            return (about,)
        return about, (
            f"premiums still change by {self.change:.2g} between fits: the quotes do not determine "
            "rate and premium together; state the dividend yield (--dividend) and pass --forwards "
            "given"
        )


def fit_american(
    table: QuoteTable, fit: Callable[[Surface, F | None], F], rules: CleaningRules | None = None
) -> AmericanFit[F]:
    """Return the fit of a model to American quotes.

    Parameters
    ----------
    table : QuoteTable
        With spot and rates. Raw put-call parity between American quotes misstates the rate, which
        determines the premium, so that the first fit uses the stated rate.
    fit : callable
        Fits a model with stationary increments to a surface, from the last fit if there is one.
    rules : CleaningRules, optional

    Raises
    ------
    InvalidInputError
        The spot or the rate is missing.
    UnsupportedError
        The increments of the model are not stationary.
    """
    if table.spot is None:
        raise InvalidInputError("American quotes require the spot; pass --spot")
    if table.frame["rate"].isna().any():
        raise InvalidInputError(
            "American quotes require the rate, since put-call parity does not determine it; pass "
            "--rate"
        )
    rules = rules or CleaningRules()
    # Parity at the stated discount; the slope of American pairs would give another.
    surface = clean(_adjusted(table, np.zeros(len(table.frame))), replace(rules, forwards="given"))
    result = fit(surface, None)
    premium = np.zeros(len(table.frame))
    change = np.inf
    n_fits = 1
    while n_fits < _MAX_FITS and change > _TOLERANCE * table.spot:
        previous, premium = premium, _premiums(table, surface, result.model)
        change = float(np.max(np.abs(premium - previous)))
        surface = clean(_adjusted(table, premium), rules)
        result = fit(surface, result)
        n_fits += 1
    return AmericanFit(surface, result, _of_quotes(table, surface, premium), n_fits, change)


def _adjusted(table: QuoteTable, premium: np.ndarray) -> QuoteTable:
    """Return the European equivalents of quotes, given the premium of each row."""
    frame = table.frame.copy()
    for name in ("bid", "ask", "mid"):
        # A zero bid remains one, and its premium is not negative.
        frame[name] = (frame[name] - premium).clip(lower=0.0).where(frame[name].notna())
    return replace(table, frame=frame, is_american=False)


def _premiums(table: QuoteTable, surface: Surface, model: Model) -> np.ndarray:
    """Return the premium of each row, in currency; zero where its series has no forward."""
    frame, spot = table.frame, table.spot
    assert spot is not None
    forwards = {f.series: f for f in surface.forwards}
    premium = np.zeros(len(frame))
    roots, series = frame["root"].to_numpy(str), frame["series"].to_numpy(int)
    has_forward = np.isin(series, list(forwards))
    for root in np.unique(roots):
        rows = np.flatnonzero(has_forward & (roots == root))
        if rows.size == 0:
            continue
        part = frame.iloc[rows]
        contracts = Contracts.of(
            maturity_years=[forwards[s].maturity_years for s in series[rows]],
            strike=part["strike"].to_numpy(float),
            forward=[forwards[s].forward for s in series[rows]],
            discount=[forwards[s].discount for s in series[rows]],
            is_call=part["is_call"].to_numpy(bool),
        )
        american = pricing.price(
            model,
            contracts,
            terms=Terms(exercise="american"),
            spot=spot,
            tolerance=_PREMIUM_TOLERANCE,
        )
        premium[rows] = american.value - pricing.price(model, contracts).value
    return np.maximum(premium, 0.0)


def _of_quotes(table: QuoteTable, surface: Surface, premium: np.ndarray) -> np.ndarray:
    """Return the premium of each quote of the surface, given that of each row of the table."""
    frame = table.frame
    keys = zip(frame["row"].tolist(), frame["is_call"].tolist(), strict=True)
    by_contract = dict(zip(keys, premium.tolist(), strict=True))
    is_call = surface.quotes.contracts.is_call
    return np.array(
        [by_contract[int(row), bool(call)] for row, call in zip(surface.row, is_call, strict=True)]
    )
