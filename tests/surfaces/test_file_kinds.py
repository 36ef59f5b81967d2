"""The same quotes are read from every kind of file, standard input and data frames."""

import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from levy_numerics.errors import InvalidInputError
from levy_surfaces.reading import QuoteTable, read_quotes
from tests.surfaces.chains import chain


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return chain().astype({"quote_date": "datetime64[us]", "expiry": "datetime64[us]"})


@pytest.fixture(scope="module")
def text(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, text: str) -> pd.DataFrame:
    path = tmp_path_factory.mktemp("kinds") / "quotes.csv"
    path.write_text(text)
    return without_rows(read_quotes(path))


def without_rows(table: QuoteTable) -> pd.DataFrame:
    return table.frame.drop(columns="row")


def check(source: Any, expected: pd.DataFrame, **options: Any) -> QuoteTable:
    table = read_quotes(source, **options)
    pd.testing.assert_frame_equal(without_rows(table), expected)
    assert (table.quote_date, table.underlying) == ("2026-03-16", "XYZ")
    return table


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings(encoding: str, text: str, expected: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "quotes.csv"
    path.write_bytes(text.encode(encoding))
    check(path, expected)


def test_latin_1_is_read_and_stated(text: str, expected: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "quotes.csv"
    lines = [f"{line},Société" for line in text.splitlines()[1:]]
    path.write_bytes("\n".join([f"{text.splitlines()[0]},name", *lines, ""]).encode("latin-1"))
    table = check(path, expected)
    assert table.recognition is not None
    assert "Latin-1" in table.recognition.format


def test_compressed_files_are_recognised_by_content(
    text: str, expected: pd.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / "quotes.csv").write_bytes(gzip.compress(text.encode()))
    check(tmp_path / "quotes.csv", expected)
    (tmp_path / "quotes.csv.gz").write_text(text)
    check(tmp_path / "quotes.csv.gz", expected)
    with zipfile.ZipFile(tmp_path / "quotes.zip", "w") as archive:
        archive.writestr("UnderlyingOptionsEODQuotes.csv", text)
    check(tmp_path / "quotes.zip", expected)
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", text)
        archive.writestr("b.csv", text)
    with pytest.raises(InvalidInputError, match="ZIP archive of 2 files; extract one"):
        read_quotes(tmp_path / "two.zip")


def test_columnar_files(frame: pd.DataFrame, expected: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_parquet(tmp_path / "quotes.parquet")
    check(tmp_path / "quotes.parquet", expected)
    frame.to_feather(tmp_path / "quotes.feather")
    check(tmp_path / "quotes.feather", expected)
    (tmp_path / "cut.feather").write_bytes((tmp_path / "quotes.feather").read_bytes()[:-100])
    with pytest.raises(InvalidInputError, match="damaged"):
        read_quotes(tmp_path / "cut.feather")


def test_excel_workbooks(frame: pd.DataFrame, expected: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "quotes.xlsx"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame({"about": ["nothing"]}).to_excel(book, sheet_name="notes", index=False)
        frame.to_excel(book, sheet_name="chain", index=False, startrow=3)
    table = check(path, expected)
    assert table.frame["row"].iloc[0] == 5
    empty = tmp_path / "empty.xlsx"
    pd.DataFrame({"about": ["nothing"]}).to_excel(empty, index=False)
    with pytest.raises(InvalidInputError, match="no sheet of the workbook"):
        read_quotes(empty)
    content = bytearray(path.read_bytes())
    content[200:260] = b"\xff" * 60
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"damaged|cannot be read"):
        read_quotes(path)


@pytest.mark.parametrize("kind", ["csv", "gzip", "parquet"])
def test_standard_input(
    frame: pd.DataFrame,
    text: str,
    expected: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    content = {
        "csv": text.encode(),
        "gzip": gzip.compress(text.encode()),
        "parquet": frame.to_parquet(),
    }
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content[kind])))
    check("-", expected)


def test_data_frames(frame: pd.DataFrame, expected: pd.DataFrame) -> None:
    check(frame, expected)
    check(frame.set_index(["expiry", "strike"]), expected)
    check(frame.astype({"strike": "Float64", "option_type": "category"}), expected)
    # Polars exports its frames through the same interface as pyarrow.
    check(pa.Table.from_pandas(frame), expected)
    with pytest.raises(InvalidInputError, match="a path, '-' or a data frame"):
        read_quotes(42)


def test_missing_values_of_a_data_frame_are_missing_prices(frame: pd.DataFrame) -> None:
    holes = frame.astype({"bid": object})
    holes.loc[0, "bid"] = None
    holes.loc[1, "bid"] = np.nan
    assert read_quotes(holes).frame["bid"].isna().sum() == 2
