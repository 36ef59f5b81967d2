"""Turn the columns of a table into quotes in the engine's units, and state each conversion."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from levy_surfaces.market_inputs import (
    StatedMarket,
    decimal_rates,
    decimal_vols,
    prices_of_vols,
)
from levy_surfaces.price_units import correct_price_units
from levy_surfaces.quote_columns import refuse
from levy_surfaces.quote_files import QuoteFile
from levy_surfaces.quote_settings import IN_UNDERLYING
from levy_surfaces.recognition import Recognition

_AMERICAN: Final = frozenset({"a", "american", "amer"})
_EUROPEAN: Final = frozenset({"e", "european", "euro", "eur"})
_SAME_STRIKE: Final = 1e-6
_MIN_DIFFERENT: Final = 0.5


@dataclass(frozen=True)
class QuoteInputs:
    """Quotes in the engine's units.

    Attributes
    ----------
    frame : DataFrame
    spot : float or None
    recognition : Recognition
    warnings : tuple of str
        Corrections and assumptions.
    """

    frame: pd.DataFrame
    spot: float | None
    recognition: Recognition
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, file: QuoteFile, frame: pd.DataFrame) -> "QuoteInputs":
        """Convert a frame with maturities and series.

        Raises
        ------
        InvalidInputError
            Some options are American and some are not, prices are in several currencies, or a
            forward is missing.
        """
        assert file.layout is not None, "the file has been read"
        recognition = Recognition.of(file.layout, file.description)
        settings = file.settings
        warnings: list[str] = []
        recognition = _exercise(file, frame, recognition)
        recognition, in_underlying = _currency(file, frame, recognition)
        frame, about = _strikes_of_symbols(frame)
        warnings += about
        market = StatedMarket(settings)
        if settings.dividend is not None:
            # The file's column is not used, so that its unit does not matter.
            frame = frame.assign(dividend_yield=np.nan)
        frame, about = decimal_rates(frame)
        warnings += about
        frame = market.applied(frame)
        for name, text in market.replaced.items():
            recognition = recognition.with_reading(name, f"option: {text}")
        spot = None if frame["spot"].isna().all() else float(frame["spot"].median())
        frame, about = _last_prices(frame)
        warnings += about
        frame, about = correct_price_units(frame, spot, in_underlying=in_underlying)
        warnings += about
        frame, is_percent = decimal_vols(frame)
        if is_percent:
            recognition = recognition.with_unit(["implied_vol"], "Black volatility, per cent")
        frame, about = prices_of_vols(frame, spot)
        warnings += about
        return cls(frame, spot, recognition, tuple(warnings))


def _exercise(file: QuoteFile, frame: pd.DataFrame, recognition: Recognition) -> Recognition:
    if file.settings.exercise == "american":
        return recognition.with_conventions(exercise="American (stated)")
    if file.settings.exercise == "european":
        return recognition.with_conventions(exercise="European (stated)")
    kinds = set(frame["exercise"].str.strip().str.lower()) - {""}
    if not kinds:
        return recognition
    if kinds <= _EUROPEAN:
        return recognition.with_conventions(exercise="European")
    if kinds <= _AMERICAN:
        return recognition.with_conventions(exercise="American")
    if kinds & _AMERICAN:
        refuse(
            file.path,
            f"the column of exercise has several values, {', '.join(sorted(kinds))}: keep the rows "
            "of one, or state exercise american or european for all (--exercise)",
            column="exercise",
        )
    return recognition


def _currency(
    file: QuoteFile, frame: pd.DataFrame, recognition: Recognition
) -> tuple[Recognition, bool]:
    """Return whether premiums are in units of the underlying, and the currency for people."""
    stated = file.settings.currency
    if stated is None:
        codes = sorted(set(frame["currency"].str.strip().str.upper()) - {""})
        if len(codes) > 1:
            refuse(
                file.path,
                f"prices are in {len(codes)} currencies ({', '.join(codes)}); keep one",
                column="currency",
            )
        if not codes:
            return recognition, False
        stated = codes[0]
    roots = {root.partition("_")[0] for root in frame["root"].str.upper()}
    roots |= set(frame["underlying"].str.upper())
    in_underlying = stated == IN_UNDERLYING or stated.upper() in roots
    text = f"{stated}, the underlying (inverse options)" if in_underlying else stated
    return recognition.with_conventions(currency=text), in_underlying


def _strikes_of_symbols(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the strikes of the symbols where most differ from the column's."""
    if "symbol_strike" not in frame or frame["symbol_strike"].isna().all():
        return frame, []
    ratio = frame["strike"] / frame["symbol_strike"]
    differs = (ratio - 1.0).abs() > _SAME_STRIKE
    if differs.mean() <= _MIN_DIFFERENT:
        return frame, []
    return frame.assign(strike=frame["symbol_strike"].fillna(frame["strike"])), [
        f"strikes are those of the option symbols: the column strike differs from them in "
        f"{int(differs.sum())} of {len(frame)} rows (by a factor of {ratio.median():.4g})"
    ]


def _last_prices(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return last prices as `mid` where the table has no other price."""
    quoted = (frame[["bid", "ask", "mid"]] > 0).any(axis=None)
    if quoted or not (frame["last"] > 0).any():
        return frame, []
    return frame.assign(mid=frame["last"], bid=np.nan, ask=np.nan), [
        "prices are those of last trades, which may be old, because the file has no bid and ask"
    ]
