"""Columns of a file are never lost, read twice, or mistaken for others."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from levy_numerics.errors import InvalidInputError
from levy_surfaces.reading import read_quotes

Writer = Callable[[pd.DataFrame], Path]


@pytest.fixture
def two_underlyings(market: pd.DataFrame) -> pd.DataFrame:
    other = market.assign(underlying="ZENITH", bid=market["bid"] / 2, ask=market["ask"] / 2)
    return pd.concat([market, other], ignore_index=True)


@pytest.mark.parametrize("index", [["underlying"], ["underlying", "expiry"], ["expiry", "strike"]])
def test_an_index_of_a_parquet_file_is_read_as_columns(
    two_underlyings: pd.DataFrame, tmp_path: Path, index: list[str]
) -> None:
    path = tmp_path / "quotes.parquet"
    two_underlyings.set_index(index).to_parquet(path)
    # As for the same frame without an index.
    with pytest.raises(InvalidInputError, match=r"2 values of underlying \(ACME, ZENITH\)"):
        read_quotes(path)
    table = read_quotes(path, underlying="ZENITH")
    half = two_underlyings[two_underlyings["underlying"] == "ZENITH"]
    assert table.frame["bid"].to_list() == half["bid"].to_list()
    assert table.frame["strike"].to_list() == half["strike"].to_list()


def test_an_index_of_row_numbers_is_not_a_column(market: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "quotes.parquet"
    market.iloc[::2].to_parquet(path)
    assert len(read_quotes(path).frame) == len(market) // 2


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_text_in_an_index_without_a_name_is_rejected(
    two_underlyings: pd.DataFrame, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"quotes.{suffix}"
    unnamed = two_underlyings.set_index("underlying").rename_axis(None)
    unnamed.to_parquet(path) if suffix == "parquet" else unnamed.to_csv(path)
    with pytest.raises(InvalidInputError, match="name it"):
        read_quotes(path)


def test_row_numbers_in_a_csv_column_without_a_name_are_not_used(
    market: pd.DataFrame, tmp_path: Path
) -> None:
    market.to_csv(tmp_path / "quotes.csv")
    assert len(read_quotes(tmp_path / "quotes.csv").frame) == len(market)


def test_an_index_called_like_a_column_is_rejected(market: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "quotes.parquet"
    table = pa.Table.from_pandas(market, preserve_index=False)
    pq.write_table(table.append_column("strike", table["spot"]), path)
    with pytest.raises(InvalidInputError, match="the column strike occurs twice"):
        read_quotes(path)


def test_a_csv_header_that_occurs_twice_is_rejected(market: pd.DataFrame, tmp_path: Path) -> None:
    header, *lines = market.to_csv(index=False).splitlines()
    path = tmp_path / "quotes.csv"
    for name in ("strike", "STRIKE", " strike", "strike ", "Strike\t", "\ufeffstrike", '"strike"'):
        path.write_text("\n".join([f"{name},{header}", *(f"100,{line}" for line in lines)]) + "\n")
        with pytest.raises(InvalidInputError, match="the column strike occurs twice"):
            read_quotes(path)


def test_a_header_that_pandas_has_renamed_is_rejected(
    market: pd.DataFrame, written: Writer
) -> None:
    path = written(market.assign(**{"strike.1": market["spot"]}))
    with pytest.raises(InvalidInputError, match=r"strike and strike\.1 look like one name"):
        read_quotes(path)


def test_ignored_columns_may_occur_twice(market: pd.DataFrame, written: Writer) -> None:
    frame = market.assign(volume=1)
    path = written(pd.concat([frame, frame[["volume"]]], axis=1))
    assert len(read_quotes(path).frame) == len(market)


def _categories(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({"underlying": "category", "option_type": "category", "expiry": "category"})


def _decimals(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(strike=[Decimal(str(k)) for k in frame["strike"]])


def _bytes(frame: pd.DataFrame) -> pd.DataFrame:
    texts = {
        name: [value.encode() for value in frame[name]] for name in ("option_type", "underlying")
    }
    return frame.assign(**texts)


def _texts(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(strike=frame["strike"].astype(str), bid=frame["bid"].astype(str))


def _dates(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(expiry=pd.to_datetime(frame["expiry"]).dt.date)


def _nullable(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.convert_dtypes()


@pytest.mark.parametrize("change", [_categories, _decimals, _bytes, _texts, _dates, _nullable])
def test_parquet_types_that_mean_the_same_read_the_same(
    market: pd.DataFrame, tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    market.to_parquet(tmp_path / "plain.parquet")
    change(market).to_parquet(tmp_path / "changed.parquet")
    expected = read_quotes(tmp_path / "plain.parquet")
    read = read_quotes(tmp_path / "changed.parquet")
    pd.testing.assert_frame_equal(read.frame, expected.frame)
    assert read.underlying == expected.underlying


@pytest.mark.parametrize(
    ("name", "values", "complaint"),
    [
        ("option_type", [True, False], "column option_type has type bool, not text"),
        ("strike", [True, False], "column strike has type bool, not numbers"),
        ("bid", [[1.0], [2.0]], "column bid has type list"),
        ("strike", [np.datetime64("2024-01-01", "us")] * 2, "column strike has type timestamp"),
        ("expiry", [np.timedelta64(1, "s")] * 2, "column expiry has type duration"),
        ("option_type", [b"\xff", b"C"], "damaged, or not"),
        ("option_type", [1, 2], "option_type '1' is neither C nor P"),
    ],
)
def test_parquet_types_that_are_not_a_quote_s_are_rejected(
    market: pd.DataFrame, tmp_path: Path, name: str, values: list[object], complaint: str
) -> None:
    path = tmp_path / "quotes.parquet"
    market.head(2).assign(**{name: pd.Series(values)}).to_parquet(path)
    with pytest.raises(InvalidInputError, match=complaint):
        read_quotes(path)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_an_underlying_that_some_rows_lack_is_rejected(
    market: pd.DataFrame, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"quotes.{suffix}"
    for blank in (None, "", "  ", "nan"):
        market.loc[3, "underlying"] = blank
        market.to_parquet(path) if suffix == "parquet" else market.to_csv(path, index=False)
        with pytest.raises(InvalidInputError, match=r"\(blank, ACME\).*fill in the blank ones"):
            read_quotes(path)


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NaT, ""])
def test_dates_that_all_rows_lack_leave_the_stated_maturity(
    market: pd.DataFrame, tmp_path: Path, missing: object
) -> None:
    path = tmp_path / "quotes.parquet"
    frame = market.drop(columns=["quote_date", "expiry"]).assign(maturity_years=0.25)
    missing_dates = {name: pd.Series([missing] * len(frame)) for name in ("quote_date", "expiry")}
    frame.assign(**missing_dates).to_parquet(path)
    table = read_quotes(path)
    assert set(table.frame["maturity_years"]) == {0.25}
    assert table.quote_date is None


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_an_empty_underlying_column_is_ignored(
    market: pd.DataFrame, tmp_path: Path, suffix: str
) -> None:
    path, frame = tmp_path / f"quotes.{suffix}", market.assign(underlying=None)
    frame.to_parquet(path) if suffix == "parquet" else frame.to_csv(path, index=False)
    assert read_quotes(path).underlying is None
