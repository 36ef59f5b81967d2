from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from levy_numerics.errors import InvalidInputError
from levy_surfaces import file_limits, reading
from levy_surfaces.quote_files import QuoteFile
from levy_surfaces.reading import files_by_day, quote_days, read_file, read_quotes

Writer = Callable[[pd.DataFrame], Path]


def test_a_surface_is_read_with_its_date_underlying_and_spot(
    market: pd.DataFrame, written: Writer
) -> None:
    table = read_quotes(written(market))
    assert (table.quote_date, table.underlying, table.spot) == ("2024-01-03", "ACME", 100.0)
    assert len(table.frame) == len(market)
    assert "colour" not in table.frame


def test_maturity_is_calendar_days_over_365(market: pd.DataFrame, written: Writer) -> None:
    years = read_quotes(written(market)).frame["maturity_years"].unique()
    assert sorted(years) == [91 / 365, 182 / 365, 1.0]


def test_a_stated_maturity_is_taken_as_it_stands(market: pd.DataFrame, written: Writer) -> None:
    stated = market.drop(columns=["expiry", "quote_date"]).assign(maturity_years=0.4)
    assert set(read_quotes(written(stated)).frame["maturity_years"]) == {0.4}


@pytest.mark.parametrize("kind", ["C", "c", "call", "CALL", " Call "])
def test_calls_are_spelt_in_any_case(market: pd.DataFrame, written: Writer, kind: str) -> None:
    market["option_type"] = market["option_type"].replace("C", kind)
    assert read_quotes(written(market)).frame["is_call"].sum() == len(market) // 2


def test_parquet_and_compressed_csv_give_what_csv_gives(
    market: pd.DataFrame, written: Writer, tmp_path: Path
) -> None:
    market.loc[3, "bid"] = np.nan
    market.to_parquet(tmp_path / "quotes.parquet")
    market.to_csv(tmp_path / "quotes.csv.gz", index=False)
    expected = read_quotes(written(market)).frame
    pd.testing.assert_frame_equal(read_quotes(tmp_path / "quotes.csv.gz").frame, expected)
    parquet = read_quotes(tmp_path / "quotes.parquet").frame
    # A row of a Parquet file is counted from one, a line of CSV after the header.
    pd.testing.assert_frame_equal(parquet.assign(row=parquet["row"] + 1), expected)


def test_headers_may_be_padded_capital_and_marked_by_excel(
    market: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "quotes.csv"
    named = market.rename(columns={"strike": " Strike ", "bid": "BID"})
    path.write_text("\ufeff" + named.to_csv(index=False) + "\n\n", encoding="utf-8")
    assert len(read_quotes(path).frame) == len(market)


@pytest.mark.parametrize(
    ("column", "values", "complaint"),
    [
        ("strike", [""], "is missing"),
        ("strike", ["-90", "0"], "must be positive"),
        ("bid", ["-0.1"], "must not be negative"),
        ("bid", ["1,5", "ninety"], "is not a number"),
        ("ask", ["inf", "1e999"], "is not finite"),
        ("ask", ["1e300", "5e-324"], "is not between 1e-50 and 1e\\+50"),
        ("option_type", ["straddle", ""], "is neither C nor P"),
        ("expiry", ["2024-02-31"], "is not a complete date"),
    ],
)
def test_a_bad_value_is_rejected_with_its_line_and_column(
    market: pd.DataFrame, written: Writer, column: str, values: list[str], complaint: str
) -> None:
    market[column] = market[column].astype(object)
    for value in values:
        market.loc[5, column] = value
        with pytest.raises(
            InvalidInputError, match=f"line 7, column {column}: .*{complaint}"
        ) as refusal:
            read_quotes(written(market))
        assert refusal.value.details["row"] == 7
        assert refusal.value.details["column"] == column


def test_a_nan_price_is_a_missing_price(market: pd.DataFrame, written: Writer) -> None:
    market["bid"] = market["bid"].astype(object)
    market.loc[5, "bid"] = "NaN"
    assert read_quotes(written(market)).frame["bid"].isna().sum() == 1


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        (["strike"], "strike"),
        (["option_type"], "option_type"),
        (["expiry"], "expiry or maturity_years"),
        (["bid"], "mid, or bid and ask"),
        (["quote_date"], "quote_date or maturity_years"),
    ],
)
def test_a_missing_column_is_named(
    market: pd.DataFrame, written: Writer, columns: list[str], named: str
) -> None:
    with pytest.raises(InvalidInputError, match=f"columns are missing: .*{named}"):
        read_quotes(written(market.drop(columns=columns)))


def _empty(path: Path) -> None:
    path.write_text("")


def _only_a_header(path: Path) -> None:
    path.write_text("strike,option_type,maturity_years,mid\n")


def _bytes(path: Path) -> None:
    path.write_bytes(bytes(range(128, 256)) * 8)


def _ragged(path: Path) -> None:
    path.write_text("strike,option_type,maturity_years,mid\n1,C,1,1\n1,C,1,1,7,8\n")


def _longer_than_its_header(path: Path) -> None:
    path.write_text("strike,option_type,maturity_years,mid\n1,C,1,1,7\n1,C,1,1,8\n")


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_empty, "the file is empty"),
        (_only_a_header, "the file contains no quotes"),
        (_bytes, "columns are missing"),
        (_ragged, "line 3 has 6 fields, the header has 4"),
        (_longer_than_its_header, "line 2 has 5 fields, the header has 4"),
    ],
)
def test_a_file_that_is_not_a_table_is_rejected(
    tmp_path: Path, spoil: Callable[[Path], Any], complaint: str
) -> None:
    path = tmp_path / "quotes.csv"
    spoil(path)
    with pytest.raises(InvalidInputError, match=complaint):
        read_quotes(path)


@pytest.mark.parametrize("name", ["absent.csv", "absent.parquet", "quotes.xlsx", "broken.csv.gz"])
def test_a_file_that_cannot_be_read_is_rejected(tmp_path: Path, name: str) -> None:
    (tmp_path / "broken.csv.gz").write_bytes(b"strike")
    with pytest.raises(InvalidInputError, match=name.split(".")[0]):
        read_quotes(tmp_path / name)


def test_several_dates_require_a_choice(market: pd.DataFrame, written: Writer) -> None:
    both = pd.concat([market, market.assign(quote_date="2024-01-04")])
    path = written(both)
    with pytest.raises(InvalidInputError, match=r"2 values of quote_date \(2024-01-03, 2024-01-04"):
        read_quotes(path)
    chosen = read_quotes(path, quote_date="2024-01-04")
    assert chosen.quote_date == "2024-01-04"
    assert len(chosen.frame) == len(market)


def test_several_underlyings_require_a_choice(market: pd.DataFrame, written: Writer) -> None:
    path = written(pd.concat([market, market.assign(underlying="ZENITH")]))
    with pytest.raises(InvalidInputError, match=r"underlying .*ACME, ZENITH"):
        read_quotes(path)
    assert read_quotes(path, underlying="ZENITH").underlying == "ZENITH"


def test_an_unavailable_choice_is_rejected_with_the_available_ones(
    market: pd.DataFrame, written: Writer
) -> None:
    with pytest.raises(InvalidInputError, match=r"no quotes have .*2023-01-01 .*2024-01-03"):
        read_quotes(written(market), quote_date="2023-01-01")


def test_a_file_too_long_for_one_surface_is_rejected(
    market: pd.DataFrame, written: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_QUOTES", 50)
    with pytest.raises(InvalidInputError, match="more than 50 quotes; select one date"):
        read_quotes(written(market))


def test_a_long_file_is_read_in_pieces(
    market: pd.DataFrame, written: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(market)
    whole = read_quotes(path).frame
    monkeypatch.setattr(file_limits, "PIECE_ROWS", 7)
    pd.testing.assert_frame_equal(read_quotes(path).frame, whole)


def test_one_expiry_has_one_maturity(market: pd.DataFrame, written: Writer) -> None:
    market["maturity_years"] = np.linspace(0.2, 0.3, len(market))
    with pytest.raises(InvalidInputError, match="has maturities from"):
        read_quotes(written(market))


def test_roots_of_one_expiry_are_series_of_their_own(market: pd.DataFrame, written: Writer) -> None:
    both = pd.concat([market.assign(root="AM"), market.assign(root="PM")])
    assert read_quotes(written(both)).frame["series"].nunique() == 6


@given(
    st.lists(
        st.lists(
            st.one_of(
                st.floats().map(str),
                st.sampled_from(["C", "P", "call", "", "nan", "2024-01-03", "1e400", '"', "\x00"]),
                st.text(max_size=5),
            ),
            max_size=9,
        ),
        max_size=6,
    ),
    st.permutations(
        ["strike", "option_type", "expiry", "quote_date", "maturity_years", "bid", "ask", "mid"]
    ),
)
def test_whatever_a_file_holds_is_read_or_rejected(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], header: list[str]
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "quotes.csv"
    lines = [",".join(row) for row in [header, *rows]]
    path.write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass")
    try:
        frame = read_quotes(path).frame
    except InvalidInputError:
        pass
    else:
        numbers = frame[["strike", "bid", "ask", "mid", "maturity_years"]].to_numpy()
        assert not np.isinf(numbers).any()
        assert (frame["strike"] > 0).all()


def test_the_files_of_days_contain_their_rows_and_those_of_the_day_before(tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    lines = ["quote_date,maturity_years,strike,option_type,bid,ask"]
    for day in ("2024-01-05", "2024-01-03", "2024-01-04"):
        lines += [f"{day},0.5,{strike},C,{ord(day[-1])},60" for strike in (90, 100, 110)]
    path.write_text("\n".join([lines[0], lines[4], *lines[1:4], *lines[5:]]), encoding="utf-8")
    by_day = files_by_day(QuoteFile(str(path)))
    assert list(by_day) == ["2024-01-03", "2024-01-04", "2024-01-05"]
    assert quote_days(by_day["2024-01-05"]) == ["2024-01-04", "2024-01-05"]
    for day, file in by_day.items():
        pd.testing.assert_frame_equal(
            read_file(file).frame, read_quotes(str(path), quote_date=day).frame
        )
