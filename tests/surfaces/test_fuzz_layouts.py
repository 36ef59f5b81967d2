"""Mutated files of all layouts are refused, corrected with a statement, or read as they were.

No mutation may give a surface whose volatility level is off by more than 20% without a warning.
`pytest -m slow tests/surfaces/test_fuzz_layouts.py` runs all 5,000 files.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from levy_numerics.errors import LevyError
from levy_numerics.surface import Surface
from levy_surfaces.cleaning import clean
from levy_surfaces.reading import read_quotes
from levy_surfaces.summary import summary

FOLDER: Final = Path(__file__).parent / "layouts"
SEED: Final = 20_260_316
N_FILES: Final = 5_000
MAX_OFF: Final = 0.2
N_HEADER_LINES: Final = {"cboe_delayed": 4}
OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "wide_chain": {"quote_date": "2026-03-16"},
    "calls_only_with_spot": {"rate": 0.025, "dividend": 0.019},
}
LAYOUTS: Final = (
    *("calls_only_with_spot", "cboe_delayed", "deribit_book_summary", "european_numbers"),
    *("implied_vols", "optionmetrics", "optionsdx", "rate_in_percent", "wide_chain"),
    "yahoo_chain",
)
NAMES: Final = (
    *("strike", "bid", "ask", "mid", "price", "iv", "type", "date", "expiry", "rate", "spot"),
    *("forward", "last", "dte", "T", "x", "", "volume", "maturity", "dividend", "Bid.1"),
)
# Powers of ten, days a year, and the price of the underlying: the factors between units.
FACTORS: Final = (10.0, 100.0, 1000.0, 0.1, 0.01, 0.001, 365.0, 1 / 365.0, 1 / 2943.15)

Rng = np.random.Generator


@dataclass
class Table:
    """Lines above the header, the header, and rows of text."""

    preamble: list[str]
    rows: list[list[str]]
    delimiter: str

    def text(self) -> str:
        out = io.StringIO()
        csv.writer(out, delimiter=self.delimiter, lineterminator="\n").writerows(self.rows)
        return "\n".join([*self.preamble, out.getvalue()])

    def numeric(self, rng: Rng) -> int:
        """Return a column with numbers."""
        numbers = [k for k in range(len(self.rows[0])) if _is_number(self.rows[1][k])]
        return int(rng.choice(numbers)) if numbers else 0


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


@cache
def source(name: str) -> Table:
    """Return a layout with a third of its strikes."""
    lines = (FOLDER / f"{name}.csv").read_text().splitlines()
    n = N_HEADER_LINES.get(name, 1)
    delimiter = ";" if name == "european_numbers" else ","
    rows = list(csv.reader(lines[n - 1 :], delimiter=delimiter, skipinitialspace=True))
    strike = next(
        (k for k, cell in enumerate(rows[0]) if "strike" in cell.lower()),
        rows[0].index("instrument_name") if "instrument_name" in rows[0] else 0,
    )
    kept = {key: k for k, key in enumerate(dict.fromkeys(row[strike][:18] for row in rows[1:]))}
    thin = 3 if "deribit" not in name else 1
    body = [row for row in rows[1:] if kept[row[strike][:18]] % thin == 0]
    return Table(lines[: n - 1], [rows[0], *body], delimiter)


def _copy(table: Table) -> Table:
    return Table([*table.preamble], [[*row] for row in table.rows], table.delimiter)


def _drop_column(rng: Rng, table: Table) -> None:
    k = int(rng.integers(len(table.rows[0])))
    for row in table.rows:
        del row[k]


def _rename_column(rng: Rng, table: Table) -> None:
    k = int(rng.integers(len(table.rows[0])))
    table.rows[0][k] = str(rng.choice(NAMES))


def _swap_names(rng: Rng, table: Table) -> None:
    i, j = rng.choice(len(table.rows[0]), 2, replace=False)
    header = table.rows[0]
    header[i], header[j] = header[j], header[i]


def _shift_values(rng: Rng, table: Table) -> None:
    k, by = table.numeric(rng), int(rng.integers(1, 4))
    values = [row[k] for row in table.rows[1:]]
    for row, value in zip(table.rows[1:], values[by:] + values[:by], strict=True):
        row[k] = value


def _shift_cells(rng: Rng, table: Table) -> None:
    """Lose one cell of the header, or of all rows."""
    k = int(rng.integers(len(table.rows[0])))
    if rng.random() < 0.5:
        del table.rows[0][k]
        table.rows[0].append("extra")
    else:
        for row in table.rows[1:]:
            del row[k]
            row.append("0")


def _scale(rng: Rng, table: Table) -> None:
    columns = {table.numeric(rng) for _ in range(int(rng.integers(1, 3)))}
    _multiply(table, columns, float(rng.choice(FACTORS)))


def _scale_prices(rng: Rng, table: Table) -> None:
    """Scale all columns of bids, asks and mids alike."""
    marks = ("bid", "ask", "offer", "mid", "last")
    columns = {k for k, name in enumerate(table.rows[0]) if any(m in name.lower() for m in marks)}
    _multiply(table, columns, float(rng.choice(FACTORS)))


def _multiply(table: Table, columns: set[int], factor: float) -> None:
    for row in table.rows[1:]:
        for k in columns:
            if _is_number(row[k]):
                text = f"{float(row[k].replace(',', '.')) * factor:.10g}"
                row[k] = text.replace(".", ",") if table.delimiter == ";" else text


def _duplicate_rows(rng: Rng, table: Table) -> None:
    n = len(table.rows) - 1
    picked = rng.integers(1, n + 1, size=int(rng.integers(1, n)))
    table.rows += [[*table.rows[int(k)]] for k in picked]


def _second_snapshot(rng: Rng, table: Table) -> None:
    """Append all rows again, with one column changed by a few per cent."""
    k, factor = table.numeric(rng), 1.0 + float(rng.uniform(-0.05, 0.05))
    again = [[*row] for row in table.rows[1:]]
    for row in again:
        if _is_number(row[k]):
            row[k] = f"{float(row[k].replace(',', '.')) * factor:.6g}"
    table.rows += again


def _blank_cells(rng: Rng, table: Table) -> None:
    k = int(rng.integers(len(table.rows[0])))
    share = float(rng.uniform(0.05, 1.0))
    for row in table.rows[1:]:
        if rng.random() < share:
            row[k] = str(rng.choice(["", "NaN", "-", "0", "#N/A"]))


def _constant_column(rng: Rng, table: Table) -> None:
    k = table.numeric(rng)
    value = table.rows[int(rng.integers(1, len(table.rows)))][k]
    for row in table.rows[1:]:
        row[k] = value


def _shuffle_rows(rng: Rng, table: Table) -> None:
    body = table.rows[1:]
    table.rows[1:] = [body[k] for k in rng.permutation(len(body))]


def _drop_rows(rng: Rng, table: Table) -> None:
    kept = rng.random(len(table.rows) - 1) < rng.uniform(0.2, 0.9)
    table.rows[1:] = [row for row, keep in zip(table.rows[1:], kept, strict=True) if keep]


def _add_preamble(rng: Rng, table: Table) -> None:
    del rng
    table.preamble.insert(0, "exported by a terminal, 16/03/2026; bid ask strike")


MUTATIONS: Final[tuple[Callable[[Rng, Table], None], ...]] = (
    *(_drop_column, _rename_column, _swap_names, _shift_values, _shift_cells, _scale),
    *(_scale_prices, _duplicate_rows, _second_snapshot, _blank_cells, _constant_column),
    *(_shuffle_rows, _drop_rows, _add_preamble),
)


def _encoded(rng: Rng, text: str) -> bytes:
    """Return the text in some encoding, a few of its bytes broken now and then."""
    encoding = str(rng.choice(["utf-8", "utf-8-sig", "utf-16", "latin-1"], p=[0.7, 0.1, 0.1, 0.1]))
    data = bytearray(text.encode(encoding, errors="replace"))
    if rng.random() < 0.1 and data:
        for k in rng.integers(len(data), size=int(rng.integers(1, 4))):
            data[int(k)] = int(rng.integers(256))
    if rng.random() < 0.03:
        del data[int(rng.integers(1, len(data))) :]
    return bytes(data)


def vol_level(surface: Surface) -> float:
    """Return the median over expiries of the volatility at the money."""
    vols = [line.atm_vol for line in summary(surface) if line.atm_vol is not None]
    return float(np.median(vols)) if vols else np.nan


@cache
def expected(name: str) -> tuple[float, frozenset[str]]:
    """Return the level and the warnings of the unmutated file."""
    table = source(name)
    frame_path = FOLDER / f"{name}.csv"
    surface = clean(read_quotes(frame_path, **OPTIONS.get(name, {})))
    assert len(table.rows) > 20
    return vol_level(surface), frozenset(w.split("(")[0][:40] for w in surface.warnings)


def outcome(name: str, path: Path) -> tuple[str, float]:
    """Return what became of a file, and the ratio of its volatility level to the expected one."""
    level, usual = expected(name)
    try:
        surface = clean(read_quotes(path, **OPTIONS.get(name, {})))
    except LevyError:
        return "refused", np.nan
    ratio = vol_level(surface) / level
    new = {w.split("(")[0][:40] for w in surface.warnings} - usual
    return ("read with a new warning" if new else "read silently"), ratio


def run(folder: Path, n_files: int, first: int = 0) -> tuple[Counter[str], list[str]]:
    """Return the outcomes of mutated files, and the mutations that give wrong surfaces silently."""
    outcomes, wrong = Counter[str](), []
    for k in range(first, first + n_files):
        rng = np.random.default_rng([SEED, k])
        name = LAYOUTS[k % len(LAYOUTS)]
        table = _copy(source(name))
        mutations = [
            MUTATIONS[int(j)] for j in rng.integers(len(MUTATIONS), size=rng.integers(1, 3))
        ]
        for mutate in mutations:
            mutate(rng, table)
            if len(table.rows) < 3 or len(table.rows[0]) < 3:
                break
        path = folder / "quotes.csv"
        path.write_bytes(_encoded(rng, table.text()))
        result, ratio = outcome(name, path)
        outcomes[result] += 1
        if result == "read silently" and not abs(ratio - 1.0) <= MAX_OFF:
            done = ", ".join(mutation.__name__ for mutation in mutations)
            wrong.append(f"{k} {name}: {done} (ratio {ratio:.3g})")
    return outcomes, wrong


def test_no_mutated_file_is_fitted_wrongly_in_silence(tmp_path: Path) -> None:
    outcomes, wrong = run(tmp_path, 60)
    assert wrong == []
    # All outcomes occur: mutations neither leave all files valid nor destroy all.
    assert min(outcomes[kind] for kind in ("refused", "read silently")) > 5


@pytest.mark.slow
def test_five_thousand_mutated_files_are_never_fitted_wrongly_in_silence(tmp_path: Path) -> None:
    outcomes, wrong = run(tmp_path, N_FILES)
    assert wrong == []
    assert outcomes.total() == N_FILES
