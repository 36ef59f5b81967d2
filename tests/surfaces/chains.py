"""One small synthetic chain, and ways to write it as people and vendors do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from levy_numerics.black import black_price

SPOT, RATE, DIVIDEND = 2943.15, 0.025, 0.019
QUOTE_DATE: Final = pd.Timestamp("2026-03-16")
EXPIRIES: Final = ("2026-04-17", "2026-06-19", "2026-12-18")
STRIKES: Final = np.arange(2500.0, 3400.0, 100.0)

DELIMITERS: Final = (",", ";", "\t", "|")
DECIMALS: Final = ("point", "comma", "thousands")
DATE_STYLES: Final[Mapping[str, Callable[[pd.Timestamp], str]]] = {
    "iso": lambda day: f"{day:%Y-%m-%d}",
    "compact": lambda day: f"{day:%Y%m%d}",
    "dmy": lambda day: f"{day:%d/%m/%Y}",
    "mdy": lambda day: f"{day.month}/{day.day}/{day.year}",
    "points": lambda day: f"{day:%d.%m.%Y}",
    "month": lambda day: f"{day:%d-%b-%Y}",
    "american": lambda day: f"{day:%b} {day.day}, {day.year}",
    "midnight": lambda day: f"{day:%Y-%m-%d} 00:00:00",
}
HEADERS: Final[Mapping[str, Mapping[str, str]]] = {
    "engine": {},
    "short": {
        "quote_date": "Date",
        "expiry": "Exp",
        "strike": "K",
        "option_type": "C/P",
        "spot": "S",
        "bid": "Bid",
        "ask": "Offer",
        "underlying": "Ticker",
    },
    "camel": {
        "quote_date": "quoteDate",
        "expiry": "expirationDate",
        "strike": "strikePrice",
        "option_type": "putCall",
        "spot": "underlyingPrice",
        "bid": "bidPrice",
        "ask": "askPrice",
        "underlying": "underlyingSymbol",
    },
    "brackets": {
        "quote_date": "[AS_OF]",
        "expiry": "[EXDATE]",
        "strike": "[STRIKE]",
        "option_type": "[RIGHT]",
        "spot": "[UNDERLYING_LAST]",
        "bid": "[BEST_BID]",
        "ask": "[BEST_OFFER]",
        "underlying": "[UNDERLYING]",
    },
}
SIDES: Final = ("long", "marked", "suffixed", "middle")


@cache
def chain() -> pd.DataFrame:
    """Return the chain, one row a quote, with a smile, in ticks of 0.05."""
    rows = []
    for expiry in EXPIRIES:
        years = (pd.Timestamp(expiry) - QUOTE_DATE).days / 365
        forward = SPOT * np.exp((RATE - DIVIDEND) * years)
        for strike, kind in product(STRIKES, "CP"):
            vol = 0.16 - 0.25 * np.log(strike / forward) / np.sqrt(0.3 + years)
            mid = float(
                black_price(
                    forward=forward,
                    strike=strike,
                    maturity_years=years,
                    discount=np.exp(-RATE * years),
                    vol=vol,
                    is_call=kind == "C",
                )
            )
            tick = round(mid / 0.05) * 0.05
            bid, ask = max(tick - 0.1, 0.0), tick + 0.1
            rows.append(("XYZ", SPOT, QUOTE_DATE, pd.Timestamp(expiry), strike, kind, bid, ask))
    names = ["underlying", "spot", "quote_date", "expiry", "strike", "option_type", "bid", "ask"]
    return pd.DataFrame(rows, columns=names).round({"bid": 2, "ask": 2})


@dataclass(frozen=True)
class Variant:
    """A way to write the chain."""

    delimiter: str
    decimal: str
    dates: str
    header: str
    sides: str

    def __str__(self) -> str:
        separator = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}[self.delimiter]
        return f"{separator}-{self.decimal}-{self.dates}-{self.header}-{self.sides}"

    def write(self, path: Path, frame: pd.DataFrame | None = None) -> Path:
        """Write the chain, or another one, and return the path."""
        table = sided(chain() if frame is None else frame, self.sides)
        names = HEADERS[self.header]
        for name in ("quote_date", "expiry"):
            table[name] = table[name].map(DATE_STYLES[self.dates])
        for name in table.select_dtypes("number"):
            table[name] = table[name].map(self._number)
        table = table.rename(columns=lambda name: _renamed(str(name), names))
        if self.sides == "middle":
            table = table.rename(columns=lambda name: name.split(":")[-1])
        table.to_csv(path, sep=self.delimiter, index=False)
        return path

    def _number(self, value: float) -> str:
        if self.decimal == "thousands":
            return f"{value:,.2f}"
        text = f"{value:.2f}"
        return text.replace(".", ",") if self.decimal == "comma" else text


def variants(n: int) -> list[Variant]:
    """Return n of all combinations, spread evenly, the same ones every time."""
    every = list(product(DELIMITERS, DECIMALS, DATE_STYLES, HEADERS, SIDES))
    chosen = np.random.default_rng(20).permutation(len(every))[:n]
    return [Variant(*every[k]) for k in sorted(chosen)]


def sided(frame: pd.DataFrame, sides: str) -> pd.DataFrame:
    """Return the chain with one row a quote, or with call and put on one row."""
    if sides == "long":
        return frame.copy()
    keys = ["underlying", "spot", "quote_date", "expiry", "strike"]
    calls, puts = (frame[frame["option_type"] == kind].drop(columns="option_type") for kind in "CP")
    both = calls.merge(puts, on=keys, suffixes=(" of call", " of put"))
    order = [*keys[:4], "bid of call", "ask of call", "strike", "bid of put", "ask of put"]
    forms = {"marked": "{side} {name}", "suffixed": "{name}_{side}", "middle": "{side}:{name}"}
    return both[order].rename(
        columns={
            f"{name} of {side}": forms[sides].format(side=side, name=name)
            for name in ("bid", "ask")
            for side in ("call", "put")
        }
    )


def _renamed(name: str, names: Mapping[str, str]) -> str:
    """Return the header's name of a column; of a side, the name within it."""
    if name in names:
        return names[name]
    prefix, _, rest = name.partition(":")
    return f"{prefix}:{names.get(rest, rest)}" if rest else name
