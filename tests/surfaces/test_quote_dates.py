"""Quote dates on which markets are closed, and repeated quotes."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from levy_surfaces.cleaning import clean
from levy_surfaces.quote_dates import closed_market_warning, copied_day_warning
from levy_surfaces.quote_files import QuoteFile
from levy_surfaces.reading import read_quotes

Writer = Callable[[pd.DataFrame], Path]


@pytest.mark.parametrize(
    ("date", "reason"),
    [
        ("2019-07-04", "Independence Day"),
        ("2024-03-29", "Good Friday"),
        ("2021-12-24", "Christmas Day"),
        ("2022-06-20", "Juneteenth"),
        ("2024-06-01", "a Saturday"),
        ("2024-06-02", "a Sunday"),
    ],
)
def test_a_day_on_which_us_exchanges_were_closed_is_reported(
    market: pd.DataFrame, written: Writer, date: str, reason: str
) -> None:
    market["quote_date"] = date
    market["expiry"] = "2025-07-02"
    (warning,) = closed_market_warning(read_quotes(written(market)))
    assert reason in warning
    assert date in warning


@pytest.mark.parametrize("date", ["2019-07-05", "2023-10-09", "2023-11-10", "2019-06-19"])
def test_a_trading_day_is_not_reported(market: pd.DataFrame, written: Writer, date: str) -> None:
    """Options trade on Columbus Day and Veterans Day, and did on Juneteenth before 2022."""
    market["quote_date"] = date
    market["expiry"] = "2025-07-02"
    assert closed_market_warning(read_quotes(written(market))) == ()


def test_cleaning_reports_the_holiday(market: pd.DataFrame, written: Writer) -> None:
    shift = pd.Timedelta(days=1827)
    market["quote_date"] = "2019-01-01"
    market["expiry"] = (pd.to_datetime(market["expiry"]) - shift).dt.strftime("%Y-%m-%d")
    surface = clean(read_quotes(written(market)))
    assert any("New Year's Day" in warning for warning in surface.warnings)


def test_a_day_that_copies_the_day_before_is_reported(
    market: pd.DataFrame, written: Writer
) -> None:
    path = written(pd.concat([market, market.assign(quote_date="2024-01-04")]))
    copied = copied_day_warning(QuoteFile(path), read_quotes(path, quote_date="2024-01-04"))
    assert len(copied) == 1
    assert "all quotes of 2024-01-04 equal those of 2024-01-03" in copied[0]
    assert copied_day_warning(QuoteFile(path), read_quotes(path, quote_date="2024-01-03")) == ()


def test_a_day_of_its_own_quotes_is_not_a_copy(market: pd.DataFrame, written: Writer) -> None:
    later = market.assign(quote_date="2024-01-04")
    later.loc[later.index[40], "ask"] += 0.01
    path = written(pd.concat([market, later]))
    assert copied_day_warning(QuoteFile(path), read_quotes(path, quote_date="2024-01-04")) == ()


def test_a_copy_in_parquet_is_reported(market: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "quotes.parquet"
    pd.concat([market, market.assign(quote_date="2024-01-04")]).to_parquet(path, index=False)
    assert copied_day_warning(QuoteFile(path), read_quotes(path, quote_date="2024-01-04"))
