"""Forward and discount of each series: by put-call parity, or from the file's own columns.

Parity always determines the forward well. It determines the discount only where the slope of the
line is precise enough; elsewhere the discount is interpolated between expiries, taken from the
file, or assumed, because an error of 1e-4 in a discount is 4% in the rate over a day. Whatever is
assumed, and whatever contradicts the file, is reported in a note.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import pandas as pd

from levy_numerics.surface import Forward
from levy_surfaces.american_signs import ParityBend
from levy_surfaces.given import GivenMarket
from levy_surfaces.notes import MIN_PAIRS, Note, sentences
from levy_surfaces.parity import Pairs, ParityLine, bounds_on_forward, forward_at
from levy_surfaces.reading import QuoteTable

ForwardSource = Literal["parity", "given", "stated_rate"]

MIN_MATURITY_OF_RATE_YEARS: Final = 14.0 / 365.0
"""Maturity below which other sources of the discount are preferred to the slope."""

MAX_RATE_ERROR: Final = 0.005
"""Standard error of the implied rate above which other sources of the discount are preferred."""

MAX_RATE_ERROR_ALONE: Final = 0.03
"""The same where there is no other source; beyond it a discount of 1 is assumed."""

MAX_RATE: Final = 1.0
"""Largest plausible |rate|, continuous, per year; the HTTP interface has the same limit."""

_UNIT_FACTORS: Final = (2.0, 10.0)
"""Factor beyond all possible discounts that shows a wrong unit; the second for few pairs."""

_UNIT_ERROR: Final = 0.1
"""Relative error of a slope up to which it is compared with discount factors."""
_RATE_TOLERANCE: Final = 0.01
"""Difference of continuous rates that is not reported."""
_FORWARD_TOLERANCE: Final = 2e-4
"""Relative difference of forwards within the precision of quotes at bid and ask."""
_FORWARD_TOLERANCE_MID_ONLY: Final = 1e-3
"""The same where only mids are quoted."""
_WIDE_BOUNDS: Final = 0.005
"""Width of the bounds at bid and ask, over the forward, beyond which mids do not determine it."""

_WITHIN_BOUNDS: Final = "the file's forward, which lies within wide parity bounds"


@dataclass(frozen=True)
class SeriesForward(Forward):
    """A forward with the evidence for it.

    Attributes
    ----------
    line : ParityLine or None
        The line fitted to the pairs, whose discount need not be the one used.
    notes : tuple of Note
    """

    line: ParityLine | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class ForwardSet:
    """The forwards of a table, and why some series have none.

    Attributes
    ----------
    forwards : tuple of SeriesForward
        In order of maturity.
    missing : mapping of int to Note
        By series: why it has no forward, and what to do about it.
    names : mapping of int to str
        By series: expiry and root, or the maturity.
    bends : mapping of str to ParityBend
        By name: signs of early exercise; None where there are too few pairs.
    """

    forwards: tuple[SeriesForward, ...]
    missing: Mapping[int, Note]
    names: Mapping[int, str]
    bends: Mapping[str, ParityBend | None]

    def warnings(self, kept: set[int]) -> tuple[str, ...]:
        """Return one sentence for each kind of note, with the first expiry it holds for.

        Parameters
        ----------
        kept : set of int
            Series that have quotes left; missing series are always reported.
        """
        notes = [(self.names[series], note) for series, note in self.missing.items()]
        notes += [
            (self.names[forward.series], note)
            for forward in self.forwards
            if forward.series in kept
            for note in forward.notes
        ]
        return sentences(notes)


def implied_forwards(
    table: QuoteTable, price: pd.Series, *, source: ForwardSource = "parity"
) -> tuple[SeriesForward, ...]:
    """Return the forwards of `derive_forwards`, without the series that have none."""
    return derive_forwards(table, price, source=source).forwards


def derive_forwards(
    table: QuoteTable, price: pd.Series, *, source: ForwardSource = "parity"
) -> ForwardSet:
    """Return forward and discount of every series that has any.

    Parameters
    ----------
    table : QuoteTable
    price : Series
        For each row of `table.frame` the usable price; NaN where there is none.
    source : {"parity", "given", "stated_rate"}
        Preferred source: put-call parity, or the file's own columns (`forward` and `discount`
        or `rate`, or `spot`, `rate` and `dividend_yield`), or put-call parity at the discount
        factors of the file, whatever the slope of the pairs is.

    Raises
    ------
    InvalidInputError
        A rate, yield, discount or maturity of the file is out of range for its column.
    """
    frame = table.frame.assign(price=price)
    frame = frame[frame["maturity_years"] > 0]
    every = [_Series.of(group, table.spot) for _, group in frame.groupby("series")]
    determined = sorted((s.years, s.rate) for s in every if s.determines_rate)
    forwards, missing = [], {}
    for series in every:
        found = series.forward(determined, source)
        if isinstance(found, SeriesForward):
            forwards.append(found)
        else:
            missing[series.number] = found
    names = {s.number: s.name for s in every}
    bends = {s.name: ParityBend.of(s.near, s.line, s.years) for s in every}
    return ForwardSet(tuple(forwards), missing, names, bends)


@dataclass(frozen=True)
class _Series:
    """The pairs of one series, and the market that the file's columns give."""

    number: int
    name: str
    years: float
    spot: float | None
    given: GivenMarket
    pairs: Pairs
    near: Pairs
    line: ParityLine | None

    @classmethod
    def of(cls, group: pd.DataFrame, spot: float | None) -> "_Series":
        first = group.iloc[0]
        years = float(first["maturity_years"])
        expiry = "" if pd.isna(first["expiry"]) else f"{first['expiry']:%Y-%m-%d}"
        name = f"{expiry or f'{years:.4g} years'} {first['root']}".strip()
        numbers = (group[column].to_numpy(float) for column in ("price", "bid", "ask"))
        pairs = Pairs.of(group["strike"].to_numpy(float), group["is_call"].to_numpy(bool), *numbers)
        near = pairs.priced().near_the_money()
        given = GivenMarket.of(group, years, spot, name)
        line = ParityLine.fit(near)
        return cls(int(first["series"]), name, years, spot, given, pairs, near, line)

    @property
    def rate(self) -> float:
        """Rate that the slope implies; NaN where it implies none."""
        if self.line is None or not self.line.discount > 0:
            return np.nan
        return float(-np.log(self.line.discount) / self.years)

    @property
    def rate_error(self) -> float:
        if self.line is None or not self.line.discount > 0:
            return np.inf
        return self.line.discount_error / (self.line.discount * self.years)

    @property
    def determines_rate(self) -> bool:
        """Whether the pairs determine the discount precisely enough to interpolate from."""
        return (
            self._slope_is_precise
            and self.line is not None
            and self.line.n_pairs >= MIN_PAIRS
            and self.years >= MIN_MATURITY_OF_RATE_YEARS
        )

    @property
    def _slope_is_precise(self) -> bool:
        return (
            self.line is not None
            and self.line.is_verified
            and abs(self.rate) <= MAX_RATE
            and self.rate_error <= MAX_RATE_ERROR
        )

    def _slope_is_usable(self, line: ParityLine) -> bool:
        # Rates above 100% occur, but two or three pairs with a misprint imply them as well.
        believable = abs(self.rate) <= MAX_RATE or (line.is_verified and line.n_pairs >= MIN_PAIRS)
        return believable and self.rate_error <= MAX_RATE_ERROR_ALONE

    def forward(
        self, determined: list[tuple[float, float]], source: ForwardSource
    ) -> SeriesForward | Note:
        """Return the forward, or why there is none."""
        fault = self._unit_error()
        if fault is not None:
            return fault
        if source == "stated_rate":
            return self._at_stated_rate() or self._as_given(determined) or self._without()
        parity = self._by_parity(self._discount(determined)) if self.near.size else None
        if parity is None:
            return self._as_given(determined) or self._without()
        own = self._completed(parity)
        contradictions = self._contradictions(parity, own, source)
        if source == "given" and self.given.is_complete:
            return replace(own, notes=contradictions)
        if source == "parity" and self._spreads_are_uninformative(parity, own):
            about_discount = parity.notes if self.given.discount is None else ()
            return replace(own, n_pairs=parity.n_pairs, source=_WITHIN_BOUNDS, notes=about_discount)
        not_given = (Note("not_given", self.given.lacking),) if source == "given" else ()
        return replace(parity, notes=(*parity.notes, *contradictions, *not_given))

    def _without(self) -> Note:
        return Note("no_forward", self.given.lacking)

    def _at_stated_rate(self) -> SeriesForward | None:
        """Return the forward by parity at the file's discount; None without pairs or discount."""
        if self.given.discount is None or not self.near.size:
            return None
        by_parity = self._by_parity((self.given.discount, "discount from the file", ()))
        if by_parity is None:
            return None
        tolerance = max(_RATE_TOLERANCE, 4.0 * self.rate_error)
        if not self.determines_rate or abs(self.rate - by_parity.rate) <= tolerance:
            return by_parity
        detail = f"parity implies rate {self.rate:.1%}; the stated {by_parity.rate:.1%} is used"
        return replace(by_parity, notes=(*by_parity.notes, Note("contradiction", detail)))

    def _unit_error(self) -> Note | None:
        """Return why no discount factor can be the slope of the pairs; None where one can."""
        line = self.line
        if line is None:
            return None
        if not line.discount_error < _UNIT_ERROR * abs(line.discount):
            return None
        detail = f"it changes by {-line.discount:.3g}"
        if line.discount < 0:
            return Note("interchanged", detail)
        factor = _UNIT_FACTORS[line.n_pairs < MIN_PAIRS - 1]
        limit = factor * float(np.exp(MAX_RATE * self.years))
        return None if 1.0 / limit <= line.discount <= limit else Note("units", detail)

    def _by_parity(self, discounting: tuple[float, str, tuple[Note, ...]]) -> SeriesForward | None:
        """Return the forward by parity, given what `_discount` returns."""
        discount, source, notes = discounting
        root = self.line.forward if source == "" and self.line else np.nan
        forward = root if root > 0 else forward_at(self.near, discount)
        low, high, n_excluding = bounds_on_forward(self.pairs, discount)
        forward = float(np.clip(forward, low, high))
        if not 0 < forward < np.inf:
            return None
        if n_excluding:
            detail = f"{n_excluding} of {self.pairs.size} pairs exclude the forward used"
            notes = (*notes, Note("crossed", detail))
        elif self.line is not None and self.line.is_curved:
            detail = f"by {self.line.scale:.2g} about the fitted line"
            notes = (*notes, Note("curved", detail))
        return SeriesForward(
            series=self.number,
            maturity_years=self.years,
            forward=forward,
            discount=discount,
            n_pairs=self.line.n_pairs if source == "" and self.line else self.near.size,
            residual_scale=0.0 if self.line is None else self.line.scale,
            rate_error=self.rate_error,
            source="put-call parity" + (f", {source}" if source else ""),
            line=self.line,
            notes=notes,
        )

    def _discount(
        self, determined: list[tuple[float, float]]
    ) -> tuple[float, str, tuple[Note, ...]]:
        """Return the discount, where it is from (empty: the slope), and notes about it."""
        line = self.line
        interval = f"rate {self.rate:.2%} ± {1.96 * self.rate_error:.2%}"
        if line is not None and self.determines_rate:
            return line.discount, "", ()
        if determined:
            years, rates = zip(*determined, strict=True)
            rate = float(np.interp(self.years, years, rates))
            return float(np.exp(-rate * self.years)), "discount interpolated between expiries", ()
        if self.given.discount is not None:
            return self.given.discount, "discount from the file", ()
        if line is not None and self._slope_is_precise:
            note = Note("few_pairs", f"{line.n_pairs} pairs, {interval}")
            return line.discount, "", (note,) if line.n_pairs < MIN_PAIRS else ()
        if line is not None and self._slope_is_usable(line):
            return line.discount, "", (Note("uncertain_discount", interval),)
        detail = f"{self.near.size} pairs" + (
            f", {interval}" if np.isfinite(self.rate_error) else ""
        )
        return 1.0, "discount assumed to be 1", (Note("assumed_discount", detail),)

    def _as_given(self, determined: list[tuple[float, float]]) -> SeriesForward | None:
        """Return the forward of the file's own columns, with the parity line for checks.

        A missing discount is interpolated between expiries whose parity determines one, or 1.
        """
        if self.given.forward is None:
            return None
        discount, source = self.given.discount, self.given.source
        notes: tuple[Note, ...] = ()
        if discount is None:
            discount, origin, notes = self._discount(determined)
            source = f"the file's forward, {origin}"
        return SeriesForward(
            series=self.number,
            maturity_years=self.years,
            forward=self.given.forward,
            discount=discount,
            n_pairs=0,
            residual_scale=0.0 if self.line is None else self.line.scale,
            rate_error=np.inf,
            source=source,
            line=self.line,
            notes=notes,
        )

    def _completed(self, parity: SeriesForward) -> SeriesForward:
        """Return the forward of the file's columns, completed by parity."""
        forward, discount = self.given.forward, self.given.discount
        return replace(
            parity,
            forward=parity.forward if forward is None else forward,
            discount=parity.discount if discount is None else discount,
            n_pairs=0,
            rate_error=np.inf,
            source=self.given.source,
            notes=(),
        )

    def _spreads_are_uninformative(self, parity: SeriesForward, own: SeriesForward) -> bool:
        """Return whether spreads are too wide to improve on a forward that the file states."""
        low, high, n_excluding = bounds_on_forward(self.pairs, parity.discount)
        is_wide = np.isfinite(low) and high - low > _WIDE_BOUNDS * parity.forward
        noise = self._noise_of_forward(parity)
        is_wide &= self.near.size < MIN_PAIRS or noise > _FORWARD_TOLERANCE * parity.forward
        within = is_wide and n_excluding == 0 and low <= own.forward <= high
        return bool(within and self.given.states_forward)

    def _noise_of_forward(self, parity: SeriesForward) -> float:
        """Return the standard error of the forward by the scatter of the pairs."""
        return float(parity.residual_scale / (parity.discount * np.sqrt(self.near.size)))

    def _contradictions(
        self, parity: SeriesForward, own: SeriesForward, source: ForwardSource
    ) -> tuple[Note, ...]:
        """Return a note if the pairs exclude the file's forward or rate."""
        low, high, n_excluding = bounds_on_forward(self.pairs, parity.discount)
        slack = _FORWARD_TOLERANCE * parity.forward
        if not np.isfinite(low) or n_excluding:
            noise = self._noise_of_forward(parity)
            slack = _FORWARD_TOLERANCE_MID_ONLY * parity.forward + 4.0 * noise
            low = high = parity.forward
        off_forward = not low - slack <= own.forward <= high + slack
        tolerance = max(_RATE_TOLERANCE, 4.0 * self.rate_error)
        off_rate = self.determines_rate and abs(self.rate - own.rate) > tolerance
        if not (off_forward or off_rate):
            return ()
        detail = f"parity {self._described(parity)}; file {self._stated(own)}; {self._used(source)}"
        return (Note("contradiction", detail),)

    def _used(self, source: ForwardSource) -> str:
        """Return which of parity and the file is used, and what would use the file."""
        if not self.given.is_complete:
            lacking = "rate or discount" if self.given.discount is None else "forward"
            return f"parity is used; a {lacking} column and --forwards given would use the file"
        if source == "parity":
            return "parity is used; --forwards given would use the file"
        return "the file is used"

    def _stated(self, own: SeriesForward) -> str:
        """Describe the columns of the file that are present."""
        if self.given.discount is None:
            return f"forward {own.forward:.6g}"
        return f"rate {own.rate:.1%}" if self.given.forward is None else self._described(own)

    def _described(self, forward: SeriesForward) -> str:
        described = f"forward {forward.forward:.6g}, rate {forward.rate:.1%}"
        if self.spot is None:
            return described
        return f"{described}, dividend yield {forward.dividend_yield(self.spot):.1%}"
