"""Clean the quotes of a file: drop what cannot be fitted, with its reason, and derive forwards."""

from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np
import pandas as pd

from levy_numerics.errors import InvalidInputError
from levy_numerics.surface import DroppedQuote, Surface
from levy_surfaces.american_signs import american_warning
from levy_surfaces.forwards import ForwardSet, ForwardSource, derive_forwards
from levy_surfaces.plausibility import (
    bounds_warning,
    constant_warning,
    damage_warning,
    maturity_warning,
    moneyness_warning,
    no_market_warning,
    own_volatility_warning,
    rate_warning,
    spot_warning,
    volatility_warning,
)
from levy_surfaces.quote_dates import closed_market_warning
from levy_surfaces.reading import QuoteTable
from levy_surfaces.reasons import Reason
from levy_surfaces.screening import Markets, Masks, QuoteArrays, equal_strikes
from levy_surfaces.surface import surface_of_rows

Sides = Literal["prefer_otm", "otm", "all"]

_BOUNDS_SLACK: Final = 1e-9
"""Fraction of the discounted forward: rounding of prices at their bounds."""
_MAX_CONFLICTING: Final = 0.5
"""Share of the usable quotes above which the rest would be an arbitrary selection."""


@dataclass(frozen=True)
class CleaningRules:
    """Options of cleaning.

    Attributes
    ----------
    maturity_years : tuple of float
        Least and greatest maturity kept.
    moneyness : tuple of float
        Least and greatest K/F kept.
    sides : {"prefer_otm", "otm", "all"}
        Whether to drop in-the-money quotes: where the other side of the strike is quoted, always,
        or never.
    forwards : {"parity", "given", "stated_rate"}
        Preferred source of forwards and discounts: put-call parity, or the file's columns, or
        put-call parity at the file's discount factors.
    static_arbitrage : bool
        Whether to drop quotes that admit arbitrage by a vertical, butterfly or calendar spread,
        and quotes that violate put-call parity.
    fewest_per_maturity : int
        Least number of quotes of a maturity; a maturity with fewer is dropped.
    """

    maturity_years: tuple[float, float] = (0.0, np.inf)
    moneyness: tuple[float, float] = (0.0, np.inf)
    sides: Sides = "prefer_otm"
    forwards: ForwardSource = "parity"
    static_arbitrage: bool = True
    fewest_per_maturity: int = 1


@dataclass
class _Cleaning:
    """The frame, with the columns added by each step, and the reasons so far."""

    frame: pd.DataFrame
    reason: pd.Series = field(init=False)
    warnings: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.reason = pd.Series("", index=self.frame.index, dtype="str")

    @property
    def kept(self) -> pd.Series:
        return self.reason == ""

    def drop(self, which: pd.Series | np.ndarray, reason: Reason) -> None:
        """Give the reason to the rows of a mask, unless an earlier reason applied."""
        self.reason[which & self.kept] = str(reason)

    def drop_all(self, masks: Masks) -> None:
        """Give each reason to the rows of its mask."""
        for reason, mask in masks:
            self.drop(mask, reason)

    @property
    def counts(self) -> dict[str, int]:
        """Number of quotes dropped for each reason, most first."""
        return {str(reason): int(n) for reason, n in self.reason[~self.kept].value_counts().items()}

    def dropped(self) -> tuple[DroppedQuote, ...]:
        """Return the quotes dropped, in the order of the file."""
        gone = self.frame[~self.kept]
        columns = (
            gone["row"],
            self.reason[~self.kept],
            gone["strike"],
            gone["maturity_years"],
            gone["is_call"],
            gone["expiry"].dt.strftime("%Y-%m-%d").fillna(""),
        )
        return tuple(
            DroppedQuote(
                pointer=f"/{row}",
                reason=reason,
                message=Reason(reason).meaning,
                strike=strike,
                maturity=years,
                option_type="call" if is_call else "put",
                expiry=expiry,
            )
            for row, reason, strike, years, is_call, expiry in zip(
                *(column.tolist() for column in columns), strict=True
            )
        )

    @property
    def quotes(self) -> QuoteArrays:
        numbers = (self.frame[name].to_numpy(float) for name in ("price", "bid", "ask"))
        return QuoteArrays(
            self.frame["series"].to_numpy(int),
            self.frame["strike"].to_numpy(float),
            self.frame["is_call"].to_numpy(bool),
            *numbers,
        )

    @property
    def markets(self) -> Markets:
        columns = (self.frame[name].to_numpy(float) for name in ("forward", "discount", "noise"))
        return Markets(*columns)


def clean(table: QuoteTable, rules: CleaningRules | None = None) -> Surface:
    """Return a surface of the quotes that can be fitted, with forwards and the dropped quotes.

    Raises
    ------
    InvalidInputError
        The options are American, nothing is left, or contracts at incompatible prices are more than
        half of the usable quotes; the counts by reason are in the details.
    """
    if table.is_american:
        raise InvalidInputError(
            "the options are American, and their prices contain an early-exercise premium; levy "
            "calibrate removes it, --exercise european ignores it",
            column="exercise",
        )
    rules = rules or CleaningRules()
    work = _Cleaning(table.frame.copy())
    _drop_unusable(work)
    years = work.frame["maturity_years"]
    work.drop(~years.between(*rules.maturity_years), Reason.MATURITY)
    _refuse_conflicts(work, rules)
    forwards = _add_forwards(work, table, rules.forwards)
    _drop_unpriceable(work, rules)
    if rules.static_arbitrage:
        _drop_arbitrage_and_stale(work, forwards)
    _drop_thin_maturities(work, rules.fewest_per_maturity)
    if not work.kept.any():
        raise _nothing_left(work, forwards)
    kept = work.frame[work.kept]
    surface = surface_of_rows(
        table, kept, forwards.forwards, dropped=work.dropped(), warnings=tuple(work.warnings)
    )
    about = (
        *closed_market_warning(table),
        *(american_warning(forwards.bends) if table.exercise_is_assumed else ()),
        *forwards.warnings(set(kept["series"])),
        *constant_warning(table.frame),
        *damage_warning(work.reason),
        *maturity_warning(table.frame),
        *moneyness_warning(surface.quotes),
        *rate_warning(surface.forwards),
        *spot_warning(surface),
        *volatility_warning(surface.quotes),
        *own_volatility_warning(surface, table.frame),
    )
    return replace(surface, warnings=(*surface.warnings, *about))


def _drop_unusable(work: _Cleaning) -> None:
    frame = work.frame
    work.drop(frame["maturity_years"] <= 0, Reason.EXPIRED)
    frame["price"] = frame["mid"]
    frame["strike"] = equal_strikes(frame["strike"].to_numpy(float))
    quotes, masks = work.quotes.with_prices()
    is_zero = (frame["bid"] == 0) & (frame["ask"] == 0)
    for name in ("price", "bid", "ask"):
        frame[name] = getattr(quotes, name)
    work.drop_all(masks)
    work.warnings += no_market_warning((is_zero & work.kept).to_numpy(bool), "column mid")
    repeated = quotes.repeated(work.kept.to_numpy(bool))
    work.drop_all(repeated)
    n_conflicting = sum(int(np.sum(m)) for reason, m in repeated if reason is Reason.CONFLICTING)
    if n_conflicting:
        work.warnings.append(
            f"{n_conflicting} quotes are of contracts quoted more than once at incompatible prices "
            "and were dropped; select one snapshot, or give each class of options its own root"
        )


def _refuse_conflicts(work: _Cleaning, rules: CleaningRules) -> None:
    """Raise if most usable quotes are of contracts quoted at incompatible prices."""
    inside = work.frame["maturity_years"].between(*rules.maturity_years)
    conflicting = inside & (work.reason == str(Reason.CONFLICTING))
    repeated = inside & (work.reason == str(Reason.DUPLICATE))
    n, n_usable = int(conflicting.sum()), int((work.kept | conflicting | repeated).sum())
    if n <= _MAX_CONFLICTING * n_usable:
        return
    first = work.frame[conflicting].iloc[0]
    contract = ["series", "strike", "is_call"]
    same = (work.frame[contract] == first[contract]).all(axis=1)
    rows = " and ".join(str(row) for row in work.frame["row"][conflicting & same].iloc[:2])
    raise InvalidInputError(
        f"{n} of {n_usable} usable quotes are of contracts quoted more than once at incompatible "
        f"prices (rows {rows}: {'call' if first['is_call'] else 'put'} at strike "
        f"{first['strike']:g}), and the others are not enough to rely on; give each class of "
        "options its own root, or AM- and PM-settled ones a settlement column, or select one "
        "snapshot",
        counts=work.counts,
    )


def _add_forwards(work: _Cleaning, table: QuoteTable, source: ForwardSource) -> ForwardSet:
    frame = work.frame
    # Bids and asks that are not a market must not bound a forward.
    usable = replace(table, frame=frame[list(table.frame.columns)])
    forwards = derive_forwards(usable, frame["price"].where(work.kept), source=source)
    by_series = pd.DataFrame(
        {
            "series": [f.series for f in forwards.forwards],
            "forward": [f.forward for f in forwards.forwards],
            "discount": [f.discount for f in forwards.forwards],
            "noise": [f.residual_scale for f in forwards.forwards],
        }
    ).set_index("series")
    for name in by_series:
        frame[name] = frame["series"].map(by_series[name]).astype(float)
    work.drop(frame["forward"].isna(), Reason.NO_FORWARD)
    return forwards


def _drop_unpriceable(work: _Cleaning, rules: CleaningRules) -> None:
    frame = work.frame
    moneyness = frame["strike"] / frame["forward"]
    work.drop(~moneyness.between(*rules.moneyness), Reason.MONEYNESS)
    unit = frame["discount"] * frame["forward"]
    gain = frame["discount"] * (frame["forward"] - frame["strike"])
    lower = gain.where(frame["is_call"], -gain).clip(lower=0.0)
    upper = (frame["discount"] * frame["strike"]).where(~frame["is_call"], unit)
    slack = _BOUNDS_SLACK * unit
    below, above = frame["price"] < lower - slack, frame["price"] > upper + slack
    arrays = (column.to_numpy(float) for column in (lower, upper, unit))
    work.warnings += bounds_warning(work.quotes, work.kept.to_numpy(bool), *arrays)
    in_the_money = lower > 0
    work.drop(below & ~in_the_money, Reason.NO_TIME_VALUE)
    work.drop(above & ~in_the_money, Reason.ABOVE_MAXIMUM)
    _drop_in_the_money(work, rules.sides, in_the_money)
    work.drop(below, Reason.NO_TIME_VALUE)
    work.drop(above, Reason.ABOVE_MAXIMUM)
    if rules.sides != "all":
        work.drop(in_the_money & (frame["bid"] <= lower), Reason.ZERO_BID)


def _drop_in_the_money(work: _Cleaning, sides: Sides, in_the_money: pd.Series) -> None:
    if sides == "all":
        return
    redundant = in_the_money
    if sides == "prefer_otm":
        # A zero bid out of the money still shows that time value is nil.
        informative = work.kept | (work.reason == str(Reason.ZERO_BID))
        keys = pd.MultiIndex.from_frame(work.frame[["series", "strike"]])
        redundant = in_the_money & keys.isin(keys[informative & ~in_the_money])
    work.drop(redundant, Reason.IN_THE_MONEY)


def _drop_arbitrage_and_stale(work: _Cleaning, forwards: ForwardSet) -> None:
    family = pd.factorize(work.frame["root"])[0]
    kept = work.kept.to_numpy(bool)
    work.drop_all(work.quotes.static_arbitrage(kept, work.markets, family))
    trusted = work.kept | (work.reason == str(Reason.IN_THE_MONEY))
    lines = {f.series: f.line for f in forwards.forwards if f.line is not None}
    work.drop(work.quotes.stale(trusted.to_numpy(bool), lines), Reason.STALE)


def _drop_thin_maturities(work: _Cleaning, fewest: int) -> None:
    years = work.frame["maturity_years"]
    left = years[work.kept].value_counts()
    work.drop(years.map(left).fillna(0) < fewest, Reason.TOO_FEW)


def _nothing_left(work: _Cleaning, forwards: ForwardSet) -> InvalidInputError:
    counts = work.counts
    first = next(iter(counts))
    about = () if first == Reason.NO_FORWARD else (Reason(first).meaning,)
    if Reason.NO_FORWARD in counts:
        about = (*about, *forwards.warnings(set()))
    why = "; ".join((*about, *work.warnings))
    listed = ", ".join(f"{reason}: {n}" for reason, n in counts.items())
    message = f"none of the {len(work.frame)} quotes can be fitted ({listed}): {why}"
    return InvalidInputError(message, counts=counts)
