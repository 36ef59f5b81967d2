from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from levy_numerics.errors import InvalidInputError
from levy_numerics.surface import Surface
from levy_surfaces.cleaning import clean
from levy_surfaces.reading import read_quotes
from levy_surfaces.summary import market_vols, summary
from levy_surfaces.surface import read_surface, write_surface

Writer = Callable[[pd.DataFrame], Path]


@pytest.fixture
def surface(market: pd.DataFrame, written: Writer) -> Surface:
    both = pd.concat([market.assign(root="AM"), market.assign(root="PM")])
    return clean(read_quotes(written(both)))


@pytest.mark.parametrize("name", ["surface.csv", "surface.csv.gz", "surface.parquet"])
def test_a_surface_comes_back_number_for_number(
    surface: Surface, tmp_path: Path, name: str
) -> None:
    write_surface(surface, tmp_path / name)
    again = read_surface(tmp_path / name)
    a, b = surface.quotes, again.quotes
    for field in ("maturity_years", "strike", "forward", "discount", "is_call"):
        assert np.array_equal(getattr(a.contracts, field), getattr(b.contracts, field))
    assert np.array_equal(a.price, b.price)
    assert a.bid is not None
    assert b.bid is not None
    assert np.array_equal(a.bid, b.bid)
    assert np.array_equal(surface.expiry, again.expiry)
    assert np.array_equal(surface.root, again.root)
    assert (again.quote_date, again.underlying, again.spot) == ("2024-01-03", "ACME", 100.0)
    assert [f.forward for f in again.forwards] == [f.forward for f in surface.forwards]


def test_a_surface_is_written_to_a_known_kind_of_file_only(
    surface: Surface, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match=r"csv\.gz or \.parquet"):
        write_surface(surface, tmp_path / "surface.xlsx")


def test_raw_quotes_are_not_a_surface(market: pd.DataFrame, written: Writer) -> None:
    market["mid"] = (market["bid"] + market["ask"]) / 2
    with pytest.raises(InvalidInputError, match="a forward is missing"):
        read_surface(written(market))


def test_the_summary_has_a_line_for_each_series(surface: Surface) -> None:
    lines = summary(surface)
    assert len(lines) == 6
    assert sum(line.n_quotes for line in lines) == surface.size
    for line in lines:
        assert line.atm_vol == pytest.approx(0.2, abs=2e-3)
        assert line.forward.rate == pytest.approx(0.03, abs=2e-4)
        assert line.dividend_yield == pytest.approx(0.01, abs=2e-4)
        assert line.strike_low < line.forward.forward < line.strike_high
    assert [line.name for line in lines[:2]] == ["2024-04-03 AM", "2024-04-03 PM"]


def test_market_vols_are_those_the_market_was_made_with(surface: Surface) -> None:
    c = surface.quotes.contracts
    central = np.abs(c.log_moneyness) < 0.1
    assert np.allclose(market_vols(surface)[central], 0.2, atol=2e-3)


def test_rows_lead_back_to_the_file(surface: Surface, market: pd.DataFrame) -> None:
    source = pd.concat([market, market], ignore_index=True)
    strikes = source["strike"].to_numpy()[surface.row - 2]
    assert np.array_equal(strikes, surface.quotes.contracts.strike)
