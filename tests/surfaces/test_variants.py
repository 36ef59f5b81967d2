"""One chain in many layouts, which combine delimiters, decimals, dates, headers and sides."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from levy_numerics.surface import Surface
from levy_surfaces.cleaning import clean
from levy_surfaces.reading import read_quotes
from tests.surfaces.chains import DIVIDEND, QUOTE_DATE, RATE, SPOT, Variant, chain, variants


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Surface:
    path = tmp_path_factory.mktemp("chain") / "chain.csv"
    surface = clean(read_quotes(Variant(",", "point", "iso", "engine", "long").write(path)))
    for forward in surface.forwards:
        carried = SPOT * np.exp((RATE - DIVIDEND) * forward.maturity_years)
        assert forward.forward == pytest.approx(carried, rel=5e-5)
    assert surface.size == len(chain()) / 2 - 1  # a put has a bid of zero
    return surface


@pytest.mark.parametrize("variant", variants(64), ids=str)
def test_a_variant_gives_the_same_surface(
    variant: Variant, expected: Surface, tmp_path: Path
) -> None:
    table = read_quotes(variant.write(tmp_path / "chain.csv"))
    assert (table.quote_date, table.underlying) == (f"{QUOTE_DATE:%Y-%m-%d}", "XYZ")
    assert table.spot == SPOT
    surface = clean(table)
    pd.testing.assert_frame_equal(
        surface.to_frame().drop(columns="row", errors="ignore"),
        expected.to_frame().drop(columns="row", errors="ignore"),
    )
