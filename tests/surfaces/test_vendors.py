"""Vendors' layouts without a chain in `layouts`."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from levy_numerics.errors import InvalidInputError
from levy_surfaces.cleaning import clean
from levy_surfaces.formats.registry import vendor_formats
from levy_surfaces.formats.symbols import parse_symbol
from levy_surfaces.quote_columns import COLUMNS
from levy_surfaces.reading import QuoteTable, read_quotes
from levy_surfaces.recognition import Recognition
from tests.surfaces.chains import chain


def recognised(table: QuoteTable) -> Recognition:
    assert table.recognition is not None
    return table.recognition


def occ(root: str, row: pd.Series) -> str:
    return f"{root}{row['expiry']:%y%m%d}{row['option_type']}{round(row['strike'] * 1000):08d}"


def test_every_format_maps_to_columns_of_the_engine() -> None:
    assert len(vendor_formats()) >= 7
    for entry in vendor_formats():
        names = {*entry.columns, *entry.calls, *entry.puts}
        assert names <= {*COLUMNS, "symbol"}, entry.name
        assert {*entry.scale} <= names


def test_datashop_s_snapshot_before_the_close_is_used() -> None:
    base = chain()
    frame = pd.DataFrame(
        {
            "underlying_symbol": "^XYZ",
            "quote_date": "2026-03-16",
            "root": "XYZ",
            "expiration": base["expiry"].dt.strftime("%Y-%m-%d"),
            "strike": base["strike"],
            "option_type": base["option_type"],
            "open": 0.0,
            "close": 0.0,
            "bid_size_1545": 10,
            "bid_1545": base["bid"],
            "ask_1545": base["ask"],
            "active_underlying_price_1545": 2943.15,
            "bid_eod": base["bid"] * 0.5,
            "ask_eod": base["ask"] * 2.0,
        }
    )
    table = read_quotes(frame)
    assert recognised(table).format == "Cboe DataShop end-of-day quotes"
    assert list(table.frame["bid"]) == list(base["bid"])
    assert table.spot == 2943.15
    end = read_quotes(frame, columns={"bid": "bid_eod", "ask": "ask_eod"})
    assert list(end.frame["bid"]) == list(base["bid"] * 0.5)


def deribit(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the chain as Deribit's instruments with their tickers, premiums in the coin."""
    years = (frame["expiry"] - frame["quote_date"]).dt.days / 365
    forward = 2943.15 * np.exp(0.006 * years)
    milliseconds = (
        (frame["expiry"] + pd.Timedelta(hours=8)).astype("datetime64[ms]").astype("int64")
    )
    return pd.DataFrame(
        {
            "instrument_name": [
                f"ETH-{e.day}{e:%b%y}-{k:.0f}-{t}".upper()
                for e, k, t in zip(
                    frame["expiry"], frame["strike"], frame["option_type"], strict=True
                )
            ],
            "expiration_timestamp": milliseconds,
            "timestamp": 1773619200000,
            "strike": frame["strike"],
            "option_type": frame["option_type"].map({"C": "call", "P": "put"}),
            "settlement_currency": "ETH",
            "best_bid_price": (frame["bid"] / forward).round(5),
            "best_ask_price": (frame["ask"] / forward).round(5),
            "underlying_price": forward,
        }
    )


def test_deribit_instruments_are_converted_from_the_coin() -> None:
    table = read_quotes(deribit(chain()))
    assert recognised(table).format == "Deribit instruments"
    assert "inverse options" in recognised(table).currency
    assert table.quote_date == "2026-03-16"
    assert table.frame["maturity_years"].min() == pytest.approx((32 + 8 / 24) / 365)
    surface = clean(table)
    assert [f.discount for f in surface.forwards] == pytest.approx([1.0, 1.0, 1.0], abs=0.02)
    assert surface.forwards[0].forward == pytest.approx(2944.7, rel=1e-3)


def test_a_json_document_of_an_api_is_read(tmp_path: Path) -> None:
    frame = deribit(chain())
    path = tmp_path / "summary.json"
    records = frame.to_json(orient="records", double_precision=15)
    path.write_text(f'{{"jsonrpc": "2.0", "result": {records}}}')
    pd.testing.assert_frame_equal(read_quotes(path).frame, read_quotes(frame).frame)
    path.write_text(f'{{"other": {records}}}')
    with pytest.raises(InvalidInputError, match="JSON without an array of objects"):
        read_quotes(path)
    path.write_text(records[:-9])
    with pytest.raises(InvalidInputError, match="is not valid JSON"):
        read_quotes(path)


def test_a_yahoo_chain_without_trades_needs_a_date(tmp_path: Path) -> None:
    base = chain()
    frame = pd.DataFrame(
        {
            "contractSymbol": base.apply(lambda row: occ("XYZ", row), axis=1),
            "lastTradeDate": "",
            "strike": base["strike"],
            "lastPrice": base["bid"],
            "bid": base["bid"],
            "ask": base["ask"],
        }
    )
    path = tmp_path / "yahoo.csv"
    frame.to_csv(path, index=False)
    with pytest.raises(InvalidInputError, match=r"neither a quote date nor times.*--date"):
        read_quotes(path)
    assert read_quotes(path, quote_date="2026-03-16").frame["maturity_years"].min() == 32 / 365


def test_roots_of_symbols_keep_series_apart() -> None:
    """SPX and SPXW of one date settle at different times, and have forwards of their own."""
    base = chain()
    frames = [
        pd.DataFrame(
            {
                "symbol": base.apply(lambda row, root=root: occ(root, row), axis=1),
                "date": "2026-03-16",
                "bid": base["bid"] + shift,
                "ask": base["ask"] + shift,
            }
        )
        for root, shift in (("SPX", 0.0), ("SPXW", 0.05))
    ]
    table = read_quotes(pd.concat(frames))
    assert table.frame["series"].nunique() == 6
    assert set(table.frame["root"]) == {"SPX", "SPXW"}


def test_strikes_of_the_symbol_decide() -> None:
    """OptionMetrics' strikes are times 1,000; divided already, they contradict the symbol."""
    base = chain()
    frame = pd.DataFrame(
        {
            "date": "2026-03-16",
            "symbol": base.apply(lambda row: occ("XYZ ", row), axis=1),
            "exdate": base["expiry"],
            "cp_flag": base["option_type"],
            "strike_price": base["strike"],
            "best_bid": base["bid"],
            "best_offer": base["ask"],
        }
    )
    table = read_quotes(frame)
    assert list(table.frame["strike"]) == list(base["strike"])
    assert any("strikes are those of the option symbols" in w for w in table.warnings)


@pytest.mark.parametrize(
    "text",
    ["XYZ260230C02225000", "XYZ260417X02225000", "BTC-31APR26-100-C", "BTC-17APR26-100", "SPX", ""],
)
def test_other_texts_are_not_symbols(text: str) -> None:
    assert parse_symbol(text) is None


def test_symbols_of_linear_options_have_decimals() -> None:
    symbol = parse_symbol("XRP_USDC-17APR26-0d55-P")
    assert symbol == ("XRP_USDC", "2026-04-17", "P", 0.55)
