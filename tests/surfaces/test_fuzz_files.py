"""Mutated quote files are read and cleaned, or rejected with a LevyError.

`pytest -m slow tests/surfaces/test_fuzz_files.py` runs all 10,000 files.
"""

import gzip
import io
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pytest

from levy_numerics.errors import LevyError
from levy_surfaces.cleaning import clean
from levy_surfaces.reading import read_quotes
from tests.surfaces.conftest import EXPIRIES, quoted

SEED: Final = 20_240_701
N_FILES: Final = 10_000
MAX_SECONDS: Final = 5.0
MAX_GROWTH_BYTES: Final = 500 * 2**20
SUFFIXES: Final = (".csv", ".csv.gz", ".parquet")

NASTY: Final = (
    *("", "nan", "None", "-1", "0", "1e308", "-1e308", "1e-308", "5e-324", "inf", "-inf", "1e999"),
    *("9" * 400, "0x10", "1_000", "1,5", "1;5", "٣", "½", "ninety", "C", "P", "call", "true"),
    *("2024-07", "2024", "45474", "1719792000", "1719792000000", "2024-02-31", "9999-12-31"),
    *("0001-01-01", "2024-07-01T10:00", "2024-07-01T10:00Z", "2024-07-01 10:00+05:30", "2024-W27"),
    *("2024-07-01T24:00", "2024-07-01T10:00[America/New_York]", "2024-11-03T01:30-04:00"),
    *(
        "\x00",
        "\x1b[31m",
        "[/x]",
        "[bold]",
        "\u202e",
        "\ud7ff",
        '"',
        '"a',
        "a\nb",
        "=1+1",
        "A" * 999,
    ),
)

Random = np.random.Generator
Mutation = Callable[[Random, pd.DataFrame], pd.DataFrame]


@cache
def _market() -> pd.DataFrame:
    return quoted()


def _source(rng: Random) -> pd.DataFrame:
    """Return valid quotes with dates, timestamps or maturities, and possibly roots."""
    expiries = rng.choice([*EXPIRIES], int(rng.integers(1, 4)), replace=False)
    market = _market()
    frame = market[market["expiry"].isin(expiries)]
    frame = frame.sample(frac=float(rng.uniform(0.3, 1.0)), random_state=int(rng.integers(2**31)))
    kind = int(rng.integers(5))
    if kind == 1:
        frame["quote_date"] += "T10:00:00-05:00"
    if kind == 2:
        frame["quote_date"] += "T10:00:00Z"
        frame["expiry"] += "T21:00:00Z"
    if kind == 3:
        frame["maturity_years"] = frame["expiry"].map(EXPIRIES)
    if kind == 4:
        frame["quote_date"] = pd.to_datetime(frame["quote_date"])
        frame["expiry"] = pd.to_datetime(frame["expiry"]).dt.tz_localize("Asia/Shanghai")
    if rng.random() < 0.3:
        frame["root"] = np.where(rng.random(len(frame)) < 0.5, "SPX", "SPXW")
    return frame.astype({"strike": float})


def _replace_cells(rng: Random, frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.astype(object)
    for _ in range(int(rng.integers(1, 6))):
        place = int(rng.integers(len(frame))), int(rng.integers(frame.shape[1]))
        frame.iloc[place] = NASTY[int(rng.integers(len(NASTY)))]
    return frame


def _replace_column(rng: Random, frame: pd.DataFrame) -> pd.DataFrame:
    name = frame.columns[int(rng.integers(frame.shape[1]))]
    return frame.assign(**{name: NASTY[int(rng.integers(len(NASTY)))]})


def _random_numbers(rng: Random, frame: pd.DataFrame) -> pd.DataFrame:
    name = ("strike", "bid", "ask", "spot")[int(rng.integers(4))]
    scale = 10.0 ** rng.uniform(-300, 300)
    return frame.assign(
        **{name: scale * rng.standard_normal(len(frame)) ** int(rng.integers(1, 4))}
    )


def _shift_dates(rng: Random, frame: pd.DataFrame) -> pd.DataFrame:
    days = pd.to_timedelta(rng.integers(-20_000, 20_000, 3), unit="D")
    dates = (pd.Timestamp("2024-01-03") + days).strftime("%Y-%m-%d")
    return frame.assign(expiry=rng.choice(dates, len(frame)))


def _swap_columns(rng: Random, frame: pd.DataFrame) -> pd.DataFrame:
    names = list(frame.columns)
    i, j = rng.choice(len(names), 2, replace=False)
    names[i], names[j] = names[j], names[i]
    return frame.set_axis(names, axis=1)


def _swap_rows(rng: Random, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[rng.integers(len(frame), size=len(frame))]


def _drop_column(rng: Random, frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns=frame.columns[int(rng.integers(frame.shape[1]))])


def _set_index(rng: Random, frame: pd.DataFrame) -> pd.DataFrame:
    size = int(rng.integers(1, 4))
    index = frame.set_index([*rng.choice(list(frame.columns), size, replace=False)])
    return index.rename_axis([None] * size) if rng.random() < 0.3 else index


TABLE_MUTATIONS: Final[tuple[Mutation, ...]] = (
    *(_replace_cells, _replace_cells, _replace_column, _random_numbers, _shift_dates),
    *(_swap_columns, _swap_rows, _drop_column, _set_index),
)


def _cut(rng: Random, data: bytes) -> bytes:
    return data[: int(rng.integers(len(data) + 1))]


def _flip_bits(rng: Random, data: bytes) -> bytes:
    flipped = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        if flipped:
            flipped[int(rng.integers(len(flipped)))] ^= 1 << int(rng.integers(8))
    return bytes(flipped)


def _insert(rng: Random, data: bytes) -> bytes:
    at = int(rng.integers(len(data) + 1))
    choices = (b"\x00", b'"', b"\n", b",", b"\r", b"\xff", rng.bytes(50), b"A" * 70_000)
    return data[:at] + choices[int(rng.integers(len(choices)))] + data[at:]


def _remove(rng: Random, data: bytes) -> bytes:
    at = int(rng.integers(len(data) + 1))
    return data[:at] + data[at + int(rng.integers(1, 200)) :]


def _repeat(rng: Random, data: bytes) -> bytes:
    start, stop = sorted(rng.integers(len(data) + 1, size=2))
    return data[:stop] + data[start:]


def _unchanged(rng: Random, data: bytes) -> bytes:
    return data


BYTE_MUTATIONS: Final = (_cut, _flip_bits, _flip_bits, _insert, _remove, _repeat)


def _content(rng: Random, suffix: str) -> bytes:
    """Return the bytes of one file whose table, bytes or both are mutated."""
    frame, damage = _source(rng), _unchanged
    kind = int(rng.integers(5))
    if kind != 0:
        frame = TABLE_MUTATIONS[int(rng.integers(len(TABLE_MUTATIONS)))](rng, frame)
    if kind in (0, 1):
        damage = BYTE_MUTATIONS[int(rng.integers(len(BYTE_MUTATIONS)))]
    if suffix == ".parquet":
        buffer = io.BytesIO()
        try:
            frame.to_parquet(buffer)
        except (ValueError, TypeError, OverflowError):
            # Columns of several types, which pyarrow cannot write, become text.
            frame.reset_index().astype(str).to_parquet(buffer)
        return damage(rng, buffer.getvalue())
    text = frame.to_csv(index=frame.index.names != [None]).encode("utf-8", "surrogatepass")
    if suffix == ".csv":
        return damage(rng, text)
    if rng.random() < 0.5:
        return gzip.compress(damage(rng, text), 1, mtime=0)
    return damage(rng, gzip.compress(text, 1, mtime=0))


def _outcome(path: Path) -> str:
    """Read and clean as `levy calibrate` does; only LevyError is caught."""
    try:
        table = read_quotes(path)
    except LevyError as error:
        return "refused by the reader" if error.message.isprintable() else "refused unprintably"
    try:
        clean(table)
    except LevyError:
        return "refused by cleaning"
    return "read with a warning" if table.warnings else "read"


def _run(folder: Path, n_files: int) -> Counter[str]:
    """Return the number of files by outcome, after checking time and memory."""
    outcomes: Counter[str] = Counter()
    memory_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    slowest = 0.0
    for k in range(n_files):
        # One generator per file, so that a file is reproducible from its number.
        rng = np.random.default_rng([SEED, k])
        suffix = SUFFIXES[k % len(SUFFIXES)]
        path = folder / f"quotes-{k}{suffix}"
        path.write_bytes(_content(rng, suffix))
        # Processor time, because the machine may be shared.
        started = time.process_time()
        outcomes[_outcome(path)] += 1
        slowest = max(slowest, time.process_time() - started)
        assert slowest < MAX_SECONDS, path
        path.unlink()
    growth = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_before)
    assert growth < MAX_GROWTH_BYTES
    sys.stdout.write(
        f"{n_files} files: {dict(outcomes)}; slowest {slowest:.2f} s; memory +{growth >> 20} MiB\n"
    )
    assert "refused unprintably" not in outcomes
    return outcomes


def test_mutated_files_are_read_or_rejected(tmp_path: Path) -> None:
    outcomes = _run(tmp_path, 300)
    # Both outcomes occur: mutations neither leave all files valid nor destroy all.
    assert outcomes["read"] + outcomes["read with a warning"] > 30
    assert outcomes["refused by the reader"] > 30


@pytest.mark.slow
def test_ten_thousand_mutated_files_are_read_or_rejected(tmp_path: Path) -> None:
    _run(tmp_path, N_FILES)
