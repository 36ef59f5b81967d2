"""A volatility surface: quotes to fit, the quotes dropped from them, and warnings."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np

from levy_numerics.display import Displayed, pandas
from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts, Quotes

_IS_CALL: Final = {"c": True, "call": True, "p": False, "put": False}


@dataclass(frozen=True)
class DroppedQuote:
    """A quote that is not fitted, and why.

    Attributes
    ----------
    pointer : str
        JSON pointer into the source: of a file, the row.
    reason, message : str
        For programs, and for people.
    strike, maturity : float
        Currency; years.
    option_type : {"call", "put"}
    expiry : str
        ISO date; empty where the source has none.
    """

    pointer: str
    reason: str
    message: str
    strike: float
    maturity: float
    option_type: str
    expiry: str = ""


@dataclass(frozen=True)
class Forward:
    """Forward and discount of one series (an expiry, and a root where there are several).

    Attributes
    ----------
    series : int
    maturity_years, forward, discount : float
    n_pairs : int
        Strikes whose call and put were both used.
    residual_scale : float
        Robust standard deviation of C − P about the fitted line, currency; 0 without pairs.
    rate_error : float
        Standard error of the rate that the slope implies; infinite where it was not fitted.
    source : str
        How forward and discount were derived, for people.
    """

    series: int
    maturity_years: float
    forward: float
    discount: float
    n_pairs: int
    residual_scale: float
    rate_error: float
    source: str

    @property
    def rate(self) -> float:
        """Continuous rate that the discount implies."""
        return float(np.log(1.0 / self.discount) / self.maturity_years)

    def dividend_yield(self, spot: float) -> float:
        """Return the continuous yield that spot, forward and discount imply together."""
        return float(self.rate - np.log(self.forward / spot) / self.maturity_years)


def _absent() -> Any:
    return np.empty(0, dtype=str)


@dataclass(frozen=True)
class Surface(Displayed):
    """Quotes of one underlying at one date, ready to be fitted.

    Attributes
    ----------
    quotes : Quotes
        Present values.
    dropped : tuple of DroppedQuote
        In the order of the source.
    warnings : tuple of str
        What reading and cleaning assumed, and what may be wrong with the source.
    quote_date, underlying : str or None
        ISO date, or timestamp where the source has a time of day.
    spot : float or None
    expiry, root : ndarray of str, shape (n,)
        ISO dates (with the time of day where the source has one) and roots. These arrays and the
        two below are of quotes from files, and empty for others.
    row, series : ndarray of int, shape (n,)
        Place of each quote in its source, and the number of its series.
    forwards : tuple of Forward
        One for each series, with its source.
    """

    quotes: Quotes
    dropped: tuple[DroppedQuote, ...] = ()
    warnings: tuple[str, ...] = ()
    quote_date: str | None = None
    underlying: str | None = None
    spot: float | None = None
    expiry: np.ndarray = field(default_factory=_absent)
    root: np.ndarray = field(default_factory=_absent)
    row: np.ndarray = field(default_factory=_absent)
    series: np.ndarray = field(default_factory=_absent)
    forwards: tuple[Forward, ...] = ()

    @classmethod
    def from_columns(cls, columns: Any) -> Self:
        """Read quotes from a pandas DataFrame, or from a mapping of names to arrays.

        Parameters
        ----------
        columns : DataFrame or mapping
            `mid`, or `bid` and `ask`, which are present values in currency; and the columns of
            `contracts_from_columns`. Other columns are ignored.

        Raises
        ------
        InvalidInputError
            A column is missing, or a value is not admissible.

        Examples
        --------
        >>> surface = Surface.from_columns(
        ...     {
        ...         "strike": [90.0, 100.0],
        ...         "maturity_years": [0.5, 0.5],
        ...         "option_type": ["P", "C"],
        ...         "spot": 100.0,
        ...         "rate": 0.02,
        ...         "bid": [1.9, 6.0],
        ...         "ask": [2.1, 6.2],
        ...     }
        ... )
        >>> surface.quotes.price.tolist()
        [2.0, 6.1]
        """
        contracts = contracts_from_columns(columns)
        sides = {}
        if "bid" in columns and "ask" in columns:
            sides = {name: _numbers(columns, name, contracts.size) for name in ("bid", "ask")}
            if any(np.isnan(side).any() for side in sides.values()) and "mid" in columns:
                sides = {}  # a spread is used where every quote has one, as for files
        if "mid" in columns:
            price = _numbers(columns, "mid", contracts.size)
        elif sides:
            price = 0.5 * (sides["bid"] + sides["ask"])
        else:
            raise _missing("mid, or bid and ask")
        return cls(Quotes.of(contracts, price, **sides))

    @property
    def size(self) -> int:
        """Number of quotes."""
        return self.quotes.size

    @property
    def n_read(self) -> int:
        """Number of quotes in the source: those kept and those dropped."""
        return self.size + len(self.dropped)

    @property
    def dropped_by_reason(self) -> dict[str, int]:
        """Number of quotes dropped for each reason that occurred, most first."""
        return dict(Counter(quote.reason for quote in self.dropped).most_common())

    def to_frame(self) -> Any:
        """Return a DataFrame with the columns of quote files, which `from_columns` reads too."""
        c, n = self.quotes.contracts, self.size
        empty = np.full(n, np.nan)
        columns: dict[str, Any] = {
            "quote_date": [self.quote_date] * n,
            "underlying": [self.underlying] * n,
            "spot": np.full(n, np.nan if self.spot is None else self.spot),
            "expiry": [text or None for text in self.expiry] if self.expiry.size else [None] * n,
            "maturity_years": c.maturity_years,
            "forward": c.forward,
            "discount": c.discount,
            "strike": c.strike,
            "option_type": np.where(c.is_call, "C", "P"),
            "bid": empty if self.quotes.bid is None else self.quotes.bid,
            "ask": empty if self.quotes.ask is None else self.quotes.ask,
            "mid": self.quotes.price,
        }
        if np.any(self.root != ""):
            columns["root"] = self.root
        return pandas().DataFrame(columns)

    def _title(self) -> str:
        return " ".join(filter(None, ("Quotes", self.underlying, self.quote_date)))

    def _facts(self) -> Mapping[str, Any]:
        c = self.quotes.contracts
        return {
            "Quotes": self.size,
            "Dropped": len(self.dropped),
            "Expiries": np.unique(c.maturity_years).size,
            "Spot": "unknown" if self.spot is None else self.spot,
        }

    def _columns(self) -> Mapping[str, Any]:
        c = self.quotes.contracts
        maturities, group = np.unique(c.maturity_years, return_inverse=True)
        members = [group == k for k in range(maturities.size)]
        return {
            "maturity_years": maturities,
            "n_quotes": np.bincount(group),
            "lowest_strike": np.array([c.strike[here].min() for here in members]),
            "highest_strike": np.array([c.strike[here].max() for here in members]),
            "forward": np.array([np.median(c.forward[here]) for here in members]),
            "discount": np.array([np.median(c.discount[here]) for here in members]),
        }

    def _notes(self) -> tuple[str, ...]:
        dropped = (f"{n} dropped: {reason}" for reason, n in self.dropped_by_reason.items())
        return (*dropped, *self.warnings)


def contracts_from_columns(columns: Any) -> Contracts:
    """Read contracts from a pandas DataFrame, or from a mapping of names to arrays.

    Parameters
    ----------
    columns : DataFrame or mapping
        `strike`; `maturity_years`; `option_type` (C, P, call or put); and the market: `forward`
        with `discount` or `rate`, or else `spot` and `rate`, with `dividend_yield` (0 if absent).
        Rates and yields are continuous, per year.

    Raises
    ------
    InvalidInputError
        A column is missing, or a value is not admissible.
    """
    absent = [name for name in ("strike", "maturity_years", "option_type") if name not in columns]
    if absent:
        raise _missing(", ".join(absent))
    size = np.asarray(columns["strike"]).size
    years = _numbers(columns, "maturity_years", size)
    if "discount" in columns:
        discount = _numbers(columns, "discount", size)
    elif "rate" in columns:
        discount = np.exp(-_numbers(columns, "rate", size) * years)
    else:
        raise _missing("rate, or discount")
    if "forward" in columns:
        forward = _numbers(columns, "forward", size)
    elif "spot" in columns and "rate" in columns:
        carry = _numbers(columns, "rate", size)
        if "dividend_yield" in columns:
            carry = carry - _numbers(columns, "dividend_yield", size)
        forward = _numbers(columns, "spot", size) * np.exp(carry * years)
    else:
        raise _missing("forward, or spot and rate")
    kinds = [str(kind).lower() for kind in np.atleast_1d(np.asarray(columns["option_type"]))]
    unknown = sorted({kind for kind in kinds if kind not in _IS_CALL})
    if unknown:
        raise InvalidInputError(
            f"option_type {unknown[0]!r} is not one of C, P, call and put", field="option_type"
        )
    return Contracts.of(
        maturity_years=years,
        strike=_numbers(columns, "strike", size),
        forward=forward,
        discount=discount,
        is_call=np.array([_IS_CALL[kind] for kind in kinds]),
    )


def _numbers(columns: Any, name: str, size: int) -> np.ndarray:
    try:
        return np.broadcast_to(np.asarray(columns[name], dtype=float), (size,))
    except (TypeError, ValueError):
        raise InvalidInputError(
            f"column {name} must have a number for each of the {size} rows", field=name
        ) from None


def _missing(what: str) -> InvalidInputError:
    remedy = (
        "; quotes with an expiry date are read by levy_surfaces.reading.read_quotes"
        if "maturity_years" in what
        else ""
    )
    return InvalidInputError(f"columns are missing: {what}{remedy}", columns=what)
