from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from levy_surfaces.forwards import SeriesForward, implied_forwards
from levy_surfaces.reading import read_quotes

Writer = Callable[[pd.DataFrame], Path]
YEARS = np.array([91, 182, 365]) / 365


def implied(path: Path, source: str = "parity") -> tuple[SeriesForward, ...]:
    table = read_quotes(path)
    price = (table.frame["bid"] + table.frame["ask"]) / 2
    return implied_forwards(table, price, source=source)  # type: ignore[arg-type]


def test_parity_gives_back_forward_discount_rate_and_dividends(
    market: pd.DataFrame, written: Writer
) -> None:
    for found, years in zip(implied(written(market)), YEARS, strict=True):
        assert found.forward == pytest.approx(100 * np.exp(0.02 * years), abs=2e-3)
        assert found.rate == pytest.approx(0.03, abs=2e-4)
        assert found.dividend_yield(100.0) == pytest.approx(0.01, abs=2e-4)
        assert found.source == "put-call parity"
        assert found.n_pairs >= 10
        assert found.residual_scale < 2e-3


def test_a_third_of_the_calls_printed_wrong_moves_nothing(
    market: pd.DataFrame, written: Writer
) -> None:
    right = implied(written(market))
    calls = market.index[market["option_type"] == "C"]
    market.loc[calls[::3], ["bid", "ask"]] += 7.0
    for found, expected in zip(implied(written(market)), right, strict=True):
        assert found.forward == pytest.approx(expected.forward, abs=5e-3)
        assert found.discount == pytest.approx(expected.discount, abs=1e-4)


def test_a_near_expiry_borrows_its_discount(market: pd.DataFrame, written: Writer) -> None:
    week = market[market["expiry"] == "2024-04-03"].assign(expiry="2024-01-10")
    found = implied(written(pd.concat([week, market])))[0]
    assert found.source == "put-call parity, discount from neighbouring expiries"
    assert found.rate == pytest.approx(0.03, abs=2e-3)


def test_noise_that_leaves_the_rate_open_borrows_the_files_discount(
    market: pd.DataFrame, written: Writer
) -> None:
    noise = np.random.default_rng(3).normal(0.0, 0.8, len(market))
    market[["bid", "ask"]] = market[["bid", "ask"]].add(noise, axis=0).clip(lower=0.0)
    first = market[market["expiry"] == "2024-04-03"].assign(rate=0.03)
    (found,) = implied(written(first))
    assert found.source == "put-call parity, discount from the file"
    assert found.rate == pytest.approx(0.03, rel=1e-9)
    assert found.rate_error > 0.005


def test_without_pairs_the_file_speaks(market: pd.DataFrame, written: Writer) -> None:
    calls = market[market["option_type"] == "C"]
    assert implied(written(calls)) == ()
    carried = implied(written(calls.assign(rate=0.03, dividend_yield=0.01)))
    assert [f.forward for f in carried] == pytest.approx(100 * np.exp(0.02 * YEARS), rel=1e-12)
    assert {f.source for f in carried} == {"spot, rate and dividend yield"}
    stated = implied(written(calls.assign(forward=101.0, discount=0.98)))
    assert {(f.forward, f.discount, f.source) for f in stated} == {
        (101.0, 0.98, "the file's forward and discount")
    }


def test_the_files_forward_is_preferred_on_request(market: pd.DataFrame, written: Writer) -> None:
    path = written(market.assign(forward=99.0, discount=0.97))
    assert {f.forward for f in implied(path, "given")} == {99.0}
    assert all(f.forward > 100 for f in implied(path))


def test_a_performance_index_has_a_forward_above_its_carry(
    market: pd.DataFrame, written: Writer
) -> None:
    """A dividend yield below zero is a fact of such markets and is not corrected away."""
    years = market["expiry"].map(dict(zip(market["expiry"].unique(), YEARS, strict=True)))
    shift = 100 * np.exp(-0.01 * years) * (np.exp(0.012 * years) - 1)
    calls = market["option_type"] == "C"
    for side in ("bid", "ask"):
        market.loc[calls, side] += shift[calls]
    for found in implied(written(market)):
        assert found.dividend_yield(100.0) == pytest.approx(-0.002, abs=3e-4)


def test_roots_keep_their_own_forwards(market: pd.DataFrame, written: Writer) -> None:
    dearer = market.assign(root="PM")
    calls = dearer["option_type"] == "C"
    dearer.loc[calls, ["bid", "ask"]] += 0.5
    found = implied(written(pd.concat([market.assign(root="AM"), dearer])))
    assert len(found) == 6
    assert found[1].forward - found[0].forward == pytest.approx(0.5 / found[0].discount, abs=5e-3)
