"""Everyday layouts of one chain are read to the same quotes, or refused with the remedy."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest

from levy_numerics.errors import InvalidInputError
from levy_surfaces.formats.symbols import parse_symbol
from levy_surfaces.reading import QuoteTable, read_quotes
from tests.surfaces.chains import DIVIDEND, QUOTE_DATE, RATE, SPOT, chain

KEYS: Final = ["maturity_years", "strike", "is_call"]
PRICED: Final = [*KEYS, "bid", "ask"]


def quotes(table: QuoteTable, columns: list[str] = PRICED) -> pd.DataFrame:
    return table.frame[columns].sort_values(KEYS, ignore_index=True)


def assert_same(table: QuoteTable) -> None:
    expected = quotes(read_quotes(chain()))
    pd.testing.assert_frame_equal(quotes(table), expected, check_exact=False, rtol=1e-9)


def renamed(**names: str) -> pd.DataFrame:
    return chain().rename(columns=names)[[*names.values()]]


@pytest.mark.parametrize(
    "names",
    [
        ("Handelstag", "Verfall", "Basispreis", "Typ", "Geld", "Brief"),
        ("Fecha", "Vencimiento", "Ejercicio", "Tipo", "bid", "ask"),
        ("Date", "Échéance", "Prix d'exercice", "Type", "bid", "ask"),
        ("日付", "満期日", "権利行使価格", "種類", "買気配", "売気配"),
        ("Business Date", "Expiration Date", "Exercise Price", "Call Put Flag", "bid", "ask"),
        ("Trade Date", "Expiration Date", "Strike Price", "Put Call Flag", "Bid Price", "Ask"),
        ("BizDt", "MatDt", "StrkPx", "PutCall", "bid", "ask"),
        ("TIMESTAMP", "EXPIRY_DT", "STRIKE_PR", "OPTION_TYP", "bid", "ask"),
        ("date", "OPT_EXPIRE_DT", "OPT_STRIKE_PX", "OPT_PUT_CALL", "PX_BID", "PX_ASK"),
    ],
    ids=lambda names: names[1],
)
def test_names_of_vendors_and_other_languages_are_recognised(names: tuple[str, ...]) -> None:
    own = ("quote_date", "expiry", "strike", "option_type", "bid", "ask")
    assert_same(read_quotes(renamed(**dict(zip(own, names, strict=True)))))


def symbols(form: Callable[[pd.Series], str]) -> pd.Series:
    return chain().apply(form, axis=1)


def test_symbols_of_crypto_exchanges_are_read() -> None:
    base = chain()
    okx = symbols(lambda r: f"XYZ-USD-{r.expiry:%y%m%d}-{r.strike:.0f}-{r.option_type}")
    frame = pd.DataFrame({"instId": okx, "bidPx": base["bid"], "askPx": base["ask"]})
    table = read_quotes(frame, quote_date="2026-03-16")
    assert table.recognition is not None
    assert table.recognition.format == "OKX"
    assert_same(table)
    bybit = symbols(
        lambda r: f"XYZ-{r.expiry.day}{r.expiry:%b%y}-{r.strike:.0f}-{r.option_type}-USDT".upper()
    )
    frame = pd.DataFrame({"symbol": bybit, "bid1Price": base["bid"], "ask1Price": base["ask"]})
    assert_same(read_quotes(frame, quote_date="2026-03-16"))


def test_binance_s_exercise_price_is_the_index() -> None:
    base = chain()
    symbol = symbols(lambda r: f"XYZ-{r.expiry:%y%m%d}-{r.strike:.0f}-{r.option_type}")
    frame = pd.DataFrame(
        {
            "symbol": symbol,
            "exercisePrice": SPOT,
            "strikePrice": base["strike"],
            "bidPrice": base["bid"],
            "askPrice": base["ask"],
        }
    )
    table = read_quotes(frame, quote_date="2026-03-16")
    assert_same(table)
    assert table.spot == SPOT


def test_bloomberg_tickers_are_symbols() -> None:
    expected = ("XYZ", "2026-04-17", "P", 2225.5)
    assert parse_symbol("XYZ US 04/17/26 P2225.5 Index") == expected
    assert parse_symbol("XYZ 4/17/26 P2225.5") == expected
    assert parse_symbol("XYZ 13/17/26 P2225") is None


def test_nested_records_of_an_api_are_read(tmp_path: Path) -> None:
    records = [
        {
            "details": {
                "contract_type": {"C": "call", "P": "put"}[r.option_type],
                "expiration_date": f"{r.expiry:%Y-%m-%d}",
                "strike_price": r.strike,
            },
            "last_quote": {"bid": r.bid, "ask": r.ask},
            "underlying_asset": {"price": SPOT},
        }
        for r in chain().itertuples()
    ]
    path = tmp_path / "snapshot.json"
    path.write_text(json.dumps({"status": "OK", "results": records}))
    table = read_quotes(path, quote_date="2026-03-16")
    assert_same(table)
    assert table.spot == SPOT
    path.write_text(json.dumps({"retCode": 0, "result": {"list": records}}))
    assert_same(read_quotes(path, quote_date="2026-03-16"))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("cp", {"C": "1", "P": "-1"}),
        ("is_call", {"C": "True", "P": "False"}),
        ("is_call", {"C": "1", "P": "0"}),
        ("type", {"C": "European Call", "P": "European Put"}),
    ],
)
def test_sides_as_signs_and_truths_are_read(name: str, values: dict[str, str]) -> None:
    frame = chain().rename(columns={"option_type": name})
    assert_same(read_quotes(frame.assign(**{name: frame[name].map(values)})))


def test_sides_as_1_and_0_without_a_name_that_decides_are_refused() -> None:
    frame = chain().assign(option_type=chain()["option_type"].map({"C": "1", "P": "0"}))
    with pytest.raises(InvalidInputError, match=r"neither C nor P.*write C or P"):
        read_quotes(frame)


FOOTER: Final = '"Downloaded from the vendor as of 03-16-2026"\n'


@pytest.mark.parametrize("footer", [FOOTER, "\nTotal,,,,,,,\n", "Total,,,,,,9.5,8.5\n"])
def test_notes_and_totals_below_the_quotes_are_left_out(tmp_path: Path, footer: str) -> None:
    path = tmp_path / "chain.csv"
    text = chain().to_csv(index=False)
    path.write_text(text + footer)
    table = read_quotes(path)
    assert_same(table)
    assert any("below the quotes is not read" in w for w in table.warnings)


def test_a_title_of_a_section_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chain.csv"
    lines = chain().to_csv(index=False).splitlines()
    path.write_text("\n".join([*lines[:9], "Puts", *lines[9:], ""]))
    with pytest.raises(
        InvalidInputError, match=r"line 10 has only the text 'Puts'.*column of each"
    ):
        read_quotes(path)


def test_repeated_headers_of_joined_files_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "chain.csv"
    path.write_text(chain()[:20].to_csv(index=False) + chain()[20:].to_csv(index=False))
    table = read_quotes(path)
    assert_same(table)
    assert "line 22 repeats the header and is not read" in table.warnings


def test_a_line_of_totals_in_a_workbook_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "chain.xlsx"
    total = pd.DataFrame([{"underlying": "Total", "bid": 1.0, "ask": 2.0}])
    pd.concat([chain(), total]).to_excel(path, index=False)
    table = read_quotes(path)
    assert_same(table)
    assert f"line {len(chain()) + 2} below the quotes is not read" in table.warnings


@pytest.mark.parametrize(
    ("name", "values"),
    [("months", ["1", "3", "9"]), ("tenor", ["1M", "3M", "9m"]), ("Maturity", ["1m", "13w", "9M"])],
)
def test_maturities_in_months_and_tenors_are_read(name: str, values: list[str]) -> None:
    codes, _ = pd.factorize(chain()["expiry"])
    frame = chain().drop(columns=["expiry", "quote_date"]).assign(**{name: np.array(values)[codes]})
    years = np.unique(read_quotes(frame).frame["maturity_years"])
    weeks = 13 * 7 / 365 if name == "Maturity" else 0.25
    assert years == pytest.approx([1 / 12, weeks, 0.75])


def vols(**columns: Any) -> pd.DataFrame:
    base = chain()
    years = (base["expiry"] - QUOTE_DATE).dt.days / 365
    frame = base[["expiry", "quote_date", "strike", "option_type"]].assign(
        forward=SPOT * np.exp((RATE - DIVIDEND) * years), implied_vol=0.2
    )
    return frame.assign(**columns)


@pytest.mark.parametrize(
    ("frame", "remedy"),
    [
        (vols(implied_vol=2000.0), r"--scale implied_vol=0\.0001"),
        (vols().rename(columns={"strike": "moneyness"}), "moneyness times the forward or spot"),
        (vols().rename(columns={"strike": "log_moneyness"}), r"forward × exp\(log-moneyness\)"),
        (vols().rename(columns={"strike": "delta"}), "convert each delta to its strike"),
        (vols().rename(columns={"implied_vol": "total_variance"}), r"sqrt\(total variance"),
        (vols().rename(columns={"implied_vol": "implied_variance"}), "its square root"),
        (vols().rename(columns={"implied_vol": "normal_vol"}), "convert them to prices"),
    ],
)
def test_other_coordinates_are_refused_with_the_conversion(
    frame: pd.DataFrame, remedy: str
) -> None:
    with pytest.raises(InvalidInputError, match=remedy):
        read_quotes(frame)


@pytest.mark.parametrize("unit", [1.0, 100.0])
def test_strikes_in_parts_of_the_spot_are_refused_and_the_remedy_works(unit: float) -> None:
    frame = vols(spot=SPOT, strike=chain()["strike"] / SPOT * unit).drop(columns="forward")
    with pytest.raises(InvalidInputError, match=rf"--scale strike={SPOT / unit:g}"):
        read_quotes(frame, rate=RATE, dividend=DIVIDEND)
    table = read_quotes(frame, rate=RATE, dividend=DIVIDEND, scale={"strike": SPOT / unit})
    assert list(table.frame["strike"]) == pytest.approx(list(chain()["strike"]))


def test_a_dividend_in_money_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"is not a yield.*--dividend"):
        read_quotes(chain().assign(rate=RATE, dividend=55.9))
    assert read_quotes(chain().assign(rate=RATE, dividend=55.9), dividend=DIVIDEND).spot == SPOT


def test_maturities_of_many_years_without_a_stated_unit_are_pointed_out() -> None:
    codes, _ = pd.factorize(chain()["expiry"])
    frame = chain().drop(columns=["expiry", "quote_date"])
    months = np.array([1.05, 3.1, 9.2])[codes]
    table = read_quotes(frame.assign(maturity=months))
    assert any("--scale maturity_years=0.0833333" in w for w in table.warnings)
    table = read_quotes(frame.assign(years_to_maturity=months))
    assert not any("--scale" in w for w in table.warnings)
