"""Damaged, truncated, foreign and oversized files are rejected with reason and remedy."""

import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from levy_numerics.errors import InvalidInputError
from levy_surfaces import file_limits
from levy_surfaces.reading import read_options, read_quotes

HEADER = "strike,option_type,maturity_years,mid\n"
Writer = Callable[[pd.DataFrame], Path]


def test_every_cut_csv_is_rejected_or_reported(market: pd.DataFrame, tmp_path: Path) -> None:
    text = market.to_csv(index=False).encode()
    path = tmp_path / "quotes.csv"
    first = text.index(b"\n") + 2
    for length in (*range(first, len(text), 17), *range(len(text) - 60, len(text))):
        path.write_bytes(text[:length])
        try:
            table = read_quotes(path)
        except InvalidInputError:
            continue
        # A file that ends after a line break may be complete, so this is not an error.
        assert text[:length].endswith(b"\n") or "ends without a line break" in table.warnings[0]


def test_a_row_that_may_be_cut_is_named(tmp_path: Path) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text(HEADER + "90,C,1,12.5\n110,P,1,13.2")
    (warning,) = read_quotes(path).warnings
    assert "line 3: strike 110, option_type P, last field 13.2" in warning


def test_options_that_may_be_cut_are_named(tmp_path: Path) -> None:
    path = tmp_path / "options.csv"
    path.write_text("maturity_years,option_type,strike\n1,C,90\n1,C,11")
    assert "line 3: strike 11" in read_options(path)[1][0]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (HEADER + "90,C,1\n110,P,1,13\n", "line 2 has 3 fields, the header has 4"),
        (HEADER + "90,C,1,12\n110,P,1", "line 3 has 3 fields.*probably cut short"),
        (HEADER + "90,C,1,12,\n", "line 2 has 5 fields"),
        (HEADER + '90,"C,1,12\n110,P",1,13\n', "line 2: a quotation mark is not closed"),
        (HEADER + '90,"C"x,1,12\n', "line 2: could not parse as CSV"),
        (HEADER + "90,C,1,1\x002\n", "line 2 contains a NUL"),
        (HEADER + "9" * 20_000, "line 2 is longer than 16,384 characters"),
        (HEADER + f"90,{'C' * 1001},1,12\n", "line 2 has a value longer than 1,000"),
    ],
)
def test_a_line_that_is_not_a_row_is_rejected_by_its_number(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=complaint):
        read_quotes(path)


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_lines_end_in_any_line_break(tmp_path: Path, line_break: str) -> None:
    path = tmp_path / "quotes.csv"
    text = "\n" + HEADER + "90,C,1,12\n\n,,,\n110,P,1,13\n"
    path.write_bytes(text.replace("\n", line_break).encode())
    # Blank lines count as lines: header on 2, quotes on 3 and 6.
    assert list(read_quotes(path).frame["row"]) == [3, 6]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("empty.csv", b"", "the file is empty"),
        ("empty.csv.gz", b"", "the file is empty"),
        ("empty.parquet", b"", "the file is empty"),
        ("nothing.csv.gz", gzip.compress(b"", mtime=0), "the file is empty"),
        ("short.csv.gz", gzip.compress(HEADER.encode() * 50, mtime=0)[:-9], "end too early"),
        (
            "trailing.csv.gz",
            gzip.compress(HEADER.encode(), mtime=0) + b"xyz",
            "compressed data are damaged",
        ),
        ("archive.csv", b"PK\x03\x04 and more", "compressed data are damaged"),
        ("arrow.csv", b"PAR1 and more", "damaged, or not a Parquet"),
        ("cut-utf16.csv", HEADER.encode("utf-16")[:-1], "is not valid text"),
        ("latin.csv", HEADER.encode() + b"90,C,1,12\xe9\n", "mid '12é' is not a number"),
        ("text.parquet", HEADER.encode(), "damaged, or not a Parquet"),
        ("magic.parquet", b"PAR1PAR1", "damaged, or not a Parquet"),
        ("quotes.xlsx", b"PK", "damaged, or not an Excel workbook"),
        ("quotes.xls", b"\xd0\xcf\x11\xe0 and more", "save it as .xlsx or CSV"),
    ],
)
def test_what_is_not_a_quote_file_is_rejected(
    tmp_path: Path, name: str, content: bytes, complaint: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInputError, match=complaint):
        read_quotes(tmp_path / name)


@pytest.mark.parametrize("name", ["quotes.csv", "quotes.csv.gz", "quotes.parquet"])
def test_what_is_not_a_regular_file_is_rejected_at_once(tmp_path: Path, name: str) -> None:
    folder, pipe = tmp_path / "folder", tmp_path / "pipe"
    (folder / name).mkdir(parents=True)
    pipe.mkdir()
    os.mkfifo(pipe / name)
    with pytest.raises(InvalidInputError, match="is a folder"):
        read_quotes(folder / name)
    # Opening a pipe without a writer blocks forever.
    with pytest.raises(InvalidInputError, match="is not a regular file"):
        read_quotes(pipe / name)
    with pytest.raises(InvalidInputError, match="No such file"):
        read_quotes(tmp_path / name)


def test_a_file_without_permission_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text(HEADER)

    def denied(*_: object, **__: object) -> None:
        # Root can read every file, so permissions cannot be tested.
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(InvalidInputError, match="cannot be read: Permission denied"):
        read_quotes(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        # A gigabyte of one line, 100 million blank lines, and lines of commas alone.
        (b"A" * 2**20, "is longer than 16,384 characters"),
        (b"\n" * 2**20, "more than 100,000 blank lines in a row"),
        (b",,,\n" * 2**18, "more than 100,000 blank lines in a row"),
        (b"\r" * 2**20, "more than 100,000 blank lines in a row"),
        (b'"' + b"1,C,1,1\n" * 2**17, "could not parse as CSV"),
    ],
)
def test_compressed_bombs_are_rejected_within_seconds(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    path = tmp_path / "quotes.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(HEADER.encode())
        for _ in range(100):
            file.write(content)
    started = time.perf_counter()
    with pytest.raises(InvalidInputError, match=complaint):
        read_quotes(path)
    assert time.perf_counter() - started < 5.0


@pytest.mark.parametrize(
    ("limit", "value", "complaint"),
    [
        ("MAX_ROWS", 50, "more than 50 (lines|rows); split the file"),
        ("MAX_CHARACTERS", 500, "more than 500 (characters|bytes)"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_files_beyond_a_limit_are_rejected(
    market: pd.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    limit: str,
    value: int,
    complaint: str,
) -> None:
    path = tmp_path / f"quotes.{suffix}"
    market.to_parquet(path) if suffix == "parquet" else market.to_csv(path, index=False)
    monkeypatch.setattr(file_limits, limit, value)
    with pytest.raises(InvalidInputError, match=complaint):
        read_quotes(path)


@pytest.mark.parametrize("has_arrow_schema", [True, False])
def test_a_long_text_that_a_dictionary_repeats_is_rejected(
    tmp_path: Path, has_arrow_schema: bool
) -> None:
    n = 20_000
    codes = pa.array(np.zeros(n, dtype=np.int32))
    long = pa.DictionaryArray.from_arrays(codes, pa.array(["A" * 10**6]))
    columns = {"strike": np.full(n, 100.0), "maturity_years": np.ones(n), "mid": np.ones(n)}
    path = tmp_path / "quotes.parquet"
    table = pa.table({**columns, "option_type": long})
    pq.write_table(table, path, store_schema=has_arrow_schema)
    # 20 GB in full, 50 kB in the file.
    with pytest.raises(InvalidInputError, match="has a value longer than 1,000 bytes"):
        read_quotes(path)


def test_a_parquet_page_that_fails_its_checksum_is_rejected(
    market: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "quotes.parquet"
    table = pa.Table.from_pandas(market, preserve_index=False)
    pq.write_table(table, path, write_page_checksum=True, compression="none", use_dictionary=False)
    content = path.read_bytes()
    strike = np.float64(95.0).tobytes()
    assert strike in content
    path.write_bytes(content.replace(strike, np.float64(95.5).tobytes(), 1))
    with pytest.raises(InvalidInputError, match="damaged"):
        read_quotes(path)


@pytest.mark.parametrize("damage", ["\x1b[2J", "\x9b31m", "\u202e", "\x07"])
def test_messages_show_control_characters_as_escapes(
    market: pd.DataFrame, written: Writer, damage: str
) -> None:
    for name in ("option_type", "strike", "expiry", "underlying"):
        spoilt = market.astype({name: object})
        spoilt.loc[3, name] = damage
        with pytest.raises(InvalidInputError) as caught:
            read_quotes(written(spoilt))
        assert caught.value.message.isprintable()
        assert ascii(damage)[1:-1] in caught.value.message
