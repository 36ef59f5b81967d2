"""Write quotes, as read and before cleaning, in the engine's columns."""

import gzip
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from levy_numerics.errors import InvalidInputError
from levy_surfaces.atomic_files import write_atomically
from levy_surfaces.quote_files import CSV_SUFFIXES, PARQUET_SUFFIXES
from levy_surfaces.reading import QuoteTable

_VALUES: Final = (
    *("strike", "option_type", "bid", "ask", "mid", "implied_vol"),
    *("rate", "dividend_yield", "forward", "discount"),
)


def table_rows(table: QuoteTable) -> pd.DataFrame:
    """Return the quotes of a table in the engine's columns, which `read_quotes` reads back."""
    frame = table.frame
    rows = pd.DataFrame(
        {
            "quote_date": table.quote_date or "",
            "underlying": table.underlying or "",
            "root": frame["root"],
            "expiry": expiry_texts(frame["expiry"]),
            "maturity_years": frame["maturity_years"],
            "spot": np.nan if table.spot is None else table.spot,
        },
        index=frame.index,
    )
    values = frame.assign(option_type=np.where(frame["is_call"], "C", "P"))
    return rows.assign(**{name: values[name] for name in _VALUES})


def write_rows(rows: pd.DataFrame, path: str | Path) -> None:
    """Write quotes as CSV (also `.csv.gz`) or Parquet, by the name, completely or not at all.

    Raises
    ------
    InvalidInputError
        The name ends in none of them.
    OSError
        The file cannot be written; an earlier one is left as it was.
    """
    check_table_name(path)
    target, content = Path(path), BytesIO()
    if target.suffix.lower() in PARQUET_SUFFIXES:
        rows.to_parquet(content, index=False)
    else:
        content.write(rows.to_csv(index=False).encode())
    data = content.getvalue()
    is_compressed = target.suffix.lower() == ".gz"
    write_atomically(target, gzip.compress(data) if is_compressed else data)


def check_table_name(path: str | Path) -> None:
    """Raise `InvalidInputError` unless `write_rows` has a format for the name."""
    name = Path(path).name
    if not name.lower().endswith((*CSV_SUFFIXES, *PARQUET_SUFFIXES)):
        raise InvalidInputError(f"{name}: quotes are written as .csv, .csv.gz or .parquet")


def expiry_texts(expiry: pd.Series) -> pd.Series:
    """Return ISO dates, with the time of day where one is not midnight; empty where missing."""
    has_time = expiry.notna() & (expiry != expiry.dt.normalize())
    texts = expiry.dt.strftime("%Y-%m-%d").mask(has_time, expiry.dt.strftime("%Y-%m-%dT%H:%M:%S"))
    filled: pd.Series = texts.fillna("")
    return filled
