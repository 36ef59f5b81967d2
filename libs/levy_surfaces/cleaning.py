"""From quotes as they come to a surface that can be fitted; whatever is dropped says why."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

import numpy as np
import pandas as pd

from levy_numerics.errors import InvalidInputError
from levy_surfaces.arbitrage import (
    call_equivalents,
    culprits_in_calendar,
    culprits_in_strike,
    not_convex,
    not_monotone,
)
from levy_surfaces.forwards import ForwardSource, SeriesForward, implied_forwards, pairs_of
from levy_surfaces.reading import QuoteTable
from levy_surfaces.surface import Surface

Sides = Literal["prefer_otm", "otm", "all"]

STALE_SCALES: Final = 8.0
_BOUNDS_SLACK: Final = 1e-9


class Reason(StrEnum):
    """Why a quote was dropped; the first that applies."""

    EXPIRED = "expired"
    MISSING_PRICE = "missing_price"
    CROSSED = "crossed"
    MID_OUTSIDE_SPREAD = "mid_outside_spread"
    ZERO_BID = "zero_bid"
    DUPLICATE = "duplicate"
    MATURITY = "outside_maturity_window"
    NO_FORWARD = "no_forward"
    MONEYNESS = "outside_moneyness_window"
    OUTSIDE_BOUNDS = "outside_no_arbitrage_bounds"
    IN_THE_MONEY = "in_the_money"
    NOT_MONOTONE = "not_monotone_in_strike"
    NOT_CONVEX = "not_convex_in_strike"
    CALENDAR = "calendar_arbitrage"
    STALE = "stale"
    TOO_FEW = "too_few_at_maturity"

    @property
    def meaning(self) -> str:
        """For people."""
        return _MEANINGS[self]


_MEANINGS: Final = {
    Reason.EXPIRED: "no time is left",
    Reason.MISSING_PRICE: "there is no mid, nor bid and ask, or it is zero",
    Reason.CROSSED: "the bid is above the ask",
    Reason.MID_OUTSIDE_SPREAD: "the mid is not between bid and ask",
    Reason.ZERO_BID: "nobody bids more than intrinsic value",
    Reason.DUPLICATE: "the same contract is quoted further up",
    Reason.MATURITY: "outside the maturities asked for",
    Reason.NO_FORWARD: "neither parity nor the file gives the expiry a forward",
    Reason.MONEYNESS: "outside the moneyness asked for",
    Reason.OUTSIDE_BOUNDS: "below intrinsic value, or above what the option can be worth",
    Reason.IN_THE_MONEY: "the out-of-the-money side of the strike says the same, better",
    Reason.NOT_MONOTONE: "a vertical spread is an arbitrage, even at bid and ask",
    Reason.NOT_CONVEX: "a butterfly is an arbitrage, even at bid and ask",
    Reason.CALENDAR: "a calendar spread is an arbitrage, even at bid and ask",
    Reason.STALE: "call and put contradict each other far beyond their spreads",
    Reason.TOO_FEW: "its expiry has fewer quotes than a fit of its own needs",
}


@dataclass(frozen=True)
class CleaningRules:
    """What to keep.

    Attributes
    ----------
    maturity_years : tuple of float
        Least and greatest maturity kept.
    moneyness : tuple of float
        Least and greatest K/F kept.
    sides : {"prefer_otm", "otm", "all"}
        Drop in-the-money quotes where the other side of the strike is quoted, or always, or never.
    forwards : {"parity", "given"}
        Where forwards and discounts come from first.
    static_arbitrage : bool
        Whether to drop what a vertical, butterfly or calendar spread turns into an arbitrage,
        and what contradicts the other side of its strike.
    fewest_per_maturity : int
        Quotes that a maturity must be left with; one with fewer is dropped altogether.
    """

    maturity_years: tuple[float, float] = (0.0, np.inf)
    moneyness: tuple[float, float] = (0.0, np.inf)
    sides: Sides = "prefer_otm"
    forwards: ForwardSource = "parity"
    static_arbitrage: bool = True
    fewest_per_maturity: int = 1


@dataclass(frozen=True)
class CleaningReport:
    """What became of the quotes.

    Attributes
    ----------
    n_read, n_kept : int
    dropped : DataFrame
        `row` (place in the file), `expiry`, `maturity_years`, `strike`, `option_type`, `reason`.
    """

    n_read: int
    n_kept: int
    dropped: pd.DataFrame

    @property
    def counts(self) -> dict[str, int]:
        """Number of quotes dropped for each reason that occurred, most first."""
        counts = self.dropped["reason"].value_counts()
        return {str(reason): int(n) for reason, n in counts.items()}


@dataclass
class _Cleaning:
    """The frame with the columns gathered on the way, and the reasons found so far."""

    frame: pd.DataFrame
    reason: pd.Series = field(init=False)

    def __post_init__(self) -> None:
        self.reason = pd.Series("", index=self.frame.index, dtype="str")

    @property
    def kept(self) -> pd.Series:
        return self.reason == ""

    def drop(self, which: pd.Series | list[int], reason: Reason) -> None:
        """Give the reason to the rows of a mask or labels, unless an earlier reason applied."""
        mask = which if isinstance(which, pd.Series) else self.frame.index.isin(which)
        self.reason[mask & self.kept] = str(reason)


def clean(table: QuoteTable, rules: CleaningRules | None = None) -> tuple[Surface, CleaningReport]:
    """Drop what cannot be fitted, find forwards and discounts, and make a surface of the rest.

    Raises
    ------
    InvalidInputError
        Nothing is left; the counts by reason are in the details.
    """
    rules = rules or CleaningRules()
    work = _Cleaning(table.frame.copy())
    _drop_unusable(work)
    years = work.frame["maturity_years"]
    work.drop(~years.between(*rules.maturity_years), Reason.MATURITY)
    forwards = _add_forwards(work, table, rules.forwards)
    _drop_unpriceable(work, rules)
    if rules.static_arbitrage:
        _drop_static_arbitrage(work)
        _drop_stale(work)
    _drop_thin_maturities(work, rules.fewest_per_maturity)
    report = _report(work)
    if report.n_kept == 0:
        shown = ", ".join(f"{reason}: {n}" for reason, n in report.counts.items())
        raise InvalidInputError(
            f"none of the {report.n_read} quotes can be fitted ({shown})", counts=report.counts
        )
    return Surface.of(table, work.frame[work.kept], forwards), report


def _drop_unusable(work: _Cleaning) -> None:
    frame = work.frame
    bid, ask, mid = frame["bid"], frame["ask"], frame["mid"]
    price = mid.fillna((bid + ask) / 2.0)
    frame["price"] = price
    # One side alone bounds a price and is none.
    one_sided = bid.isna() != ask.isna()
    frame.loc[one_sided, ["bid", "ask"]] = np.nan
    work.drop(frame["maturity_years"] <= 0, Reason.EXPIRED)
    work.drop(price.isna(), Reason.MISSING_PRICE)
    work.drop(bid > ask, Reason.CROSSED)
    slack = 1e-6 * price.abs()
    work.drop((price < bid - slack) | (price > ask + slack), Reason.MID_OUTSIDE_SPREAD)
    work.drop((bid == 0) & ask.notna(), Reason.ZERO_BID)
    work.drop(price == 0, Reason.MISSING_PRICE)
    contract = frame.loc[work.kept, ["series", "strike", "is_call"]]
    work.drop(contract.index[contract.duplicated()].tolist(), Reason.DUPLICATE)


def _add_forwards(
    work: _Cleaning, table: QuoteTable, source: ForwardSource
) -> tuple[SeriesForward, ...]:
    frame = work.frame
    forwards = implied_forwards(table, frame["price"].where(work.kept), source=source)
    by_series = pd.DataFrame(
        {
            "series": [f.series for f in forwards],
            "forward": [f.forward for f in forwards],
            "discount": [f.discount for f in forwards],
            "noise": [f.residual_scale for f in forwards],
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
    outside = ~frame["price"].between(lower - slack, upper + slack)
    in_the_money = lower > 0
    work.drop(outside & ~in_the_money, Reason.OUTSIDE_BOUNDS)
    _drop_in_the_money(work, rules.sides, in_the_money)
    work.drop(outside, Reason.OUTSIDE_BOUNDS)
    if rules.sides != "all":
        work.drop(in_the_money & (frame["bid"] <= lower), Reason.ZERO_BID)


def _drop_in_the_money(work: _Cleaning, sides: Sides, in_the_money: pd.Series) -> None:
    if sides == "all":
        return
    redundant = in_the_money
    if sides == "prefer_otm":
        # An unbid out-of-the-money side still says that time value is nil: the other knows no more.
        speaks = work.kept | (work.reason == str(Reason.ZERO_BID))
        keys = pd.MultiIndex.from_frame(work.frame[["series", "strike"]])
        redundant = in_the_money & keys.isin(keys[speaks & ~in_the_money])
    work.drop(redundant, Reason.IN_THE_MONEY)


def _drop_static_arbitrage(work: _Cleaning) -> None:
    frame = work.frame
    checks = ((not_monotone, Reason.NOT_MONOTONE), (not_convex, Reason.NOT_CONVEX))
    for conflicts, reason in checks:
        for _, group in frame[work.kept].groupby("series"):
            work.drop([*culprits_in_strike(call_equivalents(group), conflicts)], reason)
    # Roots that expire on one day differ in settlement: they are not each other's calendar.
    for _, family in frame[work.kept].groupby("root"):
        series = [call_equivalents(group) for _, group in family.groupby("series")]
        work.drop([*culprits_in_calendar(series)], Reason.CALENDAR)


def _drop_stale(work: _Cleaning) -> None:
    """Near the money, where both sides trade, a pair far off parity is not wholly of now."""
    trusted = work.kept | (work.reason == str(Reason.IN_THE_MONEY))
    for _, group in work.frame[trusted].groupby("series"):
        noise, pairs = group["noise"].iloc[0], pairs_of(group)
        if not noise > 0 or len(pairs) == 0:
            continue
        forward, discount = group["forward"].iloc[0], group["discount"].iloc[0]
        residual = (pairs["difference"] - discount * (forward - pairs["strike"])).abs()
        allowed = pairs["spread"] / 2.0 + STALE_SCALES * noise
        near = (pairs["strike"] - forward).abs() <= pairs["straddle"]
        strikes = pairs["strike"][near & (residual > allowed)]
        work.drop(group.index[group["strike"].isin(strikes)].tolist(), Reason.STALE)


def _drop_thin_maturities(work: _Cleaning, fewest: int) -> None:
    years = work.frame["maturity_years"]
    left = years[work.kept].value_counts()
    work.drop(years.map(left).fillna(0) < fewest, Reason.TOO_FEW)


def _report(work: _Cleaning) -> CleaningReport:
    gone = work.frame[~work.kept]
    dropped = pd.DataFrame(
        {
            "row": gone["row"],
            "expiry": gone["expiry"].dt.strftime("%Y-%m-%d"),
            "maturity_years": gone["maturity_years"],
            "strike": gone["strike"],
            "option_type": gone["is_call"].map({True: "C", False: "P"}),
            "reason": work.reason[~work.kept],
        }
    )
    return CleaningReport(len(work.frame), int(work.kept.sum()), dropped.reset_index(drop=True))
