"""Remove the early-exercise premium from American quotes, by the fitted model itself.

The premium that the fitted model gives to each quote is subtracted, forwards are derived from the
European equivalents by put-call parity, and the model is fitted again, until the premiums that were
subtracted are those of the fitted model. At this fixed point the model's American prices differ
from the quotes by the residuals of the fit to the European equivalents.

The plain iteration converges linearly, with a ratio of about a half, because a fit attributes part
of a missing premium to volatility. Anderson's method extrapolates from the last iterations.

References
----------
Walker and Ni (2011), Anderson acceleration for fixed-point iterations, SIAM Journal on Numerical
Analysis 49(4), 1715-1735.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Generic, Protocol, TypeVar

import numpy as np

from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts
from levy_numerics.models.base import LevyModel, Model
from levy_numerics.pricing.early_exercise import Terms, conv
from levy_numerics.pricing.early_exercise.market_path import MarketPath
from levy_numerics.pricing.early_exercise.terms import require_stationary_increments
from levy_numerics.surface import Surface
from levy_surfaces.cleaning import CleaningRules, clean
from levy_surfaces.reading import QuoteTable
from levy_surfaces.summary import vols_of

_MAX_FITS: Final = 20
_TOLERANCE: Final = 2e-5
"""Difference of premiums, as a fraction of the spot, at which the iteration ends."""
_ACCURACY: Final = conv.Accuracy.of(1e-5)
_ROUGH: Final = 20.0 * _TOLERANCE
"""The same, at which premiums are computed accurately; before, their error is smaller."""
_DEPTH: Final = 3
"""Earlier iterations that the extrapolation uses."""


class Fitted(Protocol):
    """A fit, as of `calibration.calibrate`."""

    @property
    def model(self) -> Model:
        """The fitted model."""


F = TypeVar("F", bound=Fitted)


@dataclass(frozen=True)
class AmericanRows:
    """Contracts of American quotes, as arrays of shape (n,).

    Attributes
    ----------
    spot : float
    strike : ndarray
    is_call, is_american : ndarray of bool
    series : ndarray of int
        Number of the series, as in the forwards of a surface.
    root : ndarray of str
        Series of one root have different maturities.
    """

    spot: float
    strike: np.ndarray
    is_call: np.ndarray
    is_american: np.ndarray
    series: np.ndarray
    root: np.ndarray

    @property
    def size(self) -> int:
        """Number of quotes."""
        return int(self.strike.size)

    def premiums(self, surface: Surface, model: LevyModel, accuracy: conv.Accuracy) -> np.ndarray:
        """Return the model's early-exercise premium of each quote, in currency.

        Zero where a quote is European, or its series has no forward.
        """
        forwards = {f.series: f for f in surface.forwards}
        premium = np.zeros(self.size)
        is_priced = self.is_american & np.isin(self.series, list(forwards))
        for root in np.unique(self.root):
            rows = np.flatnonzero(is_priced & (self.root == root))
            if rows.size == 0:
                continue
            markets = [forwards[s] for s in self.series[rows]]
            contracts = Contracts.of(
                maturity_years=[f.maturity_years for f in markets],
                strike=self.strike[rows],
                forward=[f.forward for f in markets],
                discount=[f.discount for f in markets],
                is_call=self.is_call[rows],
            )
            values = conv.values(
                model,
                contracts,
                MarketPath.of(contracts, self.spot),
                self.spot,
                Terms(exercise="american"),
                accuracy,
            )
            premium[rows] = values.premium
        return np.maximum(premium, 0.0)


class AmericanQuotes(Protocol):
    """Quotes whose European equivalents follow from their premiums."""

    @property
    def rows(self) -> AmericanRows:
        """The contracts."""

    @property
    def remedy(self) -> str:
        """What the user can state if the premiums do not converge."""

    def surface(self, premium: np.ndarray) -> Surface:
        """Return the cleaned European equivalents, given the premium of each row."""

    def positions(self, surface: Surface) -> np.ndarray:
        """Return the row of each quote of a surface, shape (surface.size,)."""


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
        Largest difference between the premiums that were subtracted and those of the fitted model,
        in currency.
    remedy : str
        What the user can state if the premiums did not converge.
    """

    surface: Surface
    fit: F
    premium: np.ndarray
    n_fits: int
    change: float
    remedy: str

    @property
    def converged(self) -> bool:
        """Whether the premiums are those of the fitted model."""
        return self.change <= _TOLERANCE * (self.surface.spot or np.inf)

    @property
    def premium_vol(self) -> np.ndarray:
        """Volatility by which each quote would be overstated as European, shape (surface.size,).

        NaN where the quote, or its European equivalent, implies no volatility.
        """
        quotes = self.surface.quotes
        american = vols_of(quotes.price + self.premium, quotes.contracts)
        return np.asarray(american - vols_of(quotes.price, quotes.contracts))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what was subtracted from the quotes, and whether the iteration converged."""
        share = self.premium / (self.surface.quotes.price + self.premium)
        vols = self.premium_vol
        in_vol = ""
        if np.isfinite(vols).any():
            in_vol = f", {100.0 * np.nanmax(vols):.3g} vol points"
        about = (
            "American quotes: the early-exercise premium of the fitted model was subtracted, up to "
            f"{self.premium.max():.4g} (mean {self.premium.mean():.4g}, at most "
            f"{share.max():.1%} of the price{in_vol}), and prices, volatilities and forwards are "
            f"those of the European equivalents; {self.n_fits} fits"
        )
        if self.converged:
            return (about,)
        return about, (
            f"premiums differ by {self.change:.2g} from those of the fitted model: the quotes do "
            f"not determine rate and premium together; {self.remedy}"
        )


def fit_american(quotes: AmericanQuotes, fit: Callable[[Surface, F | None], F]) -> AmericanFit[F]:
    """Return the fit of a model to American quotes.

    Parameters
    ----------
    quotes : AmericanQuotes
    fit : callable
        Fits a model with stationary increments to a surface, from the last fit if there is one.

    Raises
    ------
    UnsupportedError
        The increments of the model are not stationary.
    """
    rows = quotes.rows
    premium = np.zeros(rows.size)
    surface = quotes.surface(premium)
    accuracy = _ACCURACY.coarser()
    result: F | None = None
    acceleration = _Anderson()
    for n_fits in range(1, _MAX_FITS + 1):
        result = fit(surface, result)
        model = require_stationary_increments(result.model)
        implied = rows.premiums(surface, model, accuracy)
        change = float(np.max(np.abs(implied - premium)))
        if accuracy is not _ACCURACY and change <= _ROUGH * rows.spot:
            accuracy = _ACCURACY
            implied = rows.premiums(surface, model, accuracy)
            change = float(np.max(np.abs(implied - premium)))
        if change <= _TOLERANCE * rows.spot or n_fits == _MAX_FITS:
            break
        premium = np.maximum(acceleration.next(premium, implied), 0.0)
        surface = quotes.surface(premium)
    assert result is not None
    surface = replace(surface, spot=rows.spot)
    subtracted = premium[quotes.positions(surface)]
    return AmericanFit(surface, result, subtracted, n_fits, change, quotes.remedy)


@dataclass
class _Anderson:
    """Anderson's extrapolation of the fixed point of x ↦ g(x)."""

    points: list[np.ndarray] = field(default_factory=list)
    residuals: list[np.ndarray] = field(default_factory=list)

    def next(self, point: np.ndarray, image: np.ndarray) -> np.ndarray:
        """Return the next point, given the last one and its image."""
        residual = image - point
        if self.residuals and _norm(residual) > _norm(self.residuals[-1]):
            # Far from linear: start again from here.
            self.points.clear()
            self.residuals.clear()
        self.points = [*self.points[-_DEPTH:], point]
        self.residuals = [*self.residuals[-_DEPTH:], residual]
        if len(self.points) == 1:
            return image
        steps = np.diff(self.points, axis=0).T
        changes = np.diff(self.residuals, axis=0).T
        weights = np.linalg.lstsq(changes, residual, rcond=1e-6)[0]
        return np.asarray(image - (steps + changes) @ weights)


def _norm(values: np.ndarray) -> float:
    return float(np.linalg.norm(values))


@dataclass(frozen=True)
class AmericanTable:
    """American quotes of a file, with spot and rates.

    Forwards follow from put-call parity at the stated rate, or from the file if the rules prefer
    it: the slope of American pairs misstates the rate, which determines the premium.

    Attributes
    ----------
    table : QuoteTable
    rules : CleaningRules

    Raises
    ------
    InvalidInputError
        The spot or the rate is missing.
    """

    table: QuoteTable
    rules: CleaningRules = field(default_factory=CleaningRules)

    def __post_init__(self) -> None:
        if self.table.spot is None:
            raise InvalidInputError("American quotes require the spot; pass --spot")
        if self.table.frame["rate"].isna().any():
            raise InvalidInputError(
                "American quotes require the rate, since put-call parity does not determine it; "
                "pass --rate"
            )

    @property
    def remedy(self) -> str:
        """Return the options to state."""
        return "state the dividend yield (--dividend) and pass --forwards given"

    @property
    def rows(self) -> AmericanRows:
        """Return the contracts of all rows."""
        frame, spot = self.table.frame, self.table.spot
        assert spot is not None
        return AmericanRows(
            spot=spot,
            strike=frame["strike"].to_numpy(float),
            is_call=frame["is_call"].to_numpy(bool),
            is_american=np.ones(len(frame), dtype=bool),
            series=frame["series"].to_numpy(int),
            root=frame["root"].to_numpy(str),
        )

    def surface(self, premium: np.ndarray) -> Surface:
        """Return the cleaned European equivalents."""
        frame = self.table.frame.copy()
        for name in ("bid", "ask", "mid"):
            # A zero bid remains one, and its premium is not negative.
            frame[name] = (frame[name] - premium).clip(lower=0.0).where(frame[name].notna())
        rules = self.rules
        if rules.forwards == "parity":
            rules = replace(rules, forwards="stated_rate")
        return clean(replace(self.table, frame=frame, is_american=False), rules)

    def positions(self, surface: Surface) -> np.ndarray:
        """Return the row of the table of each quote of a surface."""
        frame = self.table.frame
        keys = zip(frame["row"].tolist(), frame["is_call"].tolist(), strict=True)
        position = {key: i for i, key in enumerate(keys)}
        is_call = surface.quotes.contracts.is_call
        pairs = zip(surface.row, is_call, strict=True)
        return np.array([position[int(row), bool(call)] for row, call in pairs])
