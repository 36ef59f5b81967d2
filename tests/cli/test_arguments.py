"""What users may write for strikes, maturities and numbers."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

import pytest

from levy_cli import arguments


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("90", [90.0]),
        ("90,100", [90.0, 100.0]),
        ("90:110:5", [90.0, 95.0, 100.0, 105.0, 110.0]),
        ("80, 90:100:5 ,120", [80.0, 90.0, 95.0, 100.0, 120.0]),
        ("0.1:0.5:0.1", [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("90:97:5", [90.0, 95.0]),
        ("100:100:1", [100.0]),
    ],
)
def test_strikes_are_numbers_and_ranges(text: str, values: list[float]) -> None:
    assert arguments.strikes(text) == pytest.approx(values, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("0.25", [0.25]),
        ("30d,3M,1Y", [30 / 365, 0.25, 1.0]),
        ("30D,3m,1y", [30 / 365, 0.25, 1.0]),
        ("2w", [14 / 365]),
        ("1Y6M", [1.5]),
        ("1.5y,.5y", [1.5, 0.5]),
        ("1M:6M:1M", [k / 12 for k in range(1, 7)]),
        ("30d,0.5,1:2:6M", [30 / 365, 0.5, 1.0, 1.5, 2.0]),
    ],
)
def test_maturities_are_years_tenors_and_ranges(text: str, years: list[float]) -> None:
    assert arguments.maturities(text) == pytest.approx(years, rel=1e-14)


def test_a_range_ends_exactly_where_it_says() -> None:
    assert arguments.maturities("1M:6M:1M")[-1] == 0.5
    assert arguments.strikes("0.1:0.9:0.1")[-1] == 0.9


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (arguments.strikes, "", "'' is not a list of strikes such as 90,100,110"),
        (arguments.strikes, "90,,100", "is not a list of strikes"),
        (arguments.strikes, "90:100", "or a range such as 90:110:5"),
        (arguments.strikes, "110:90:5", "low up to high and a positive step"),
        (arguments.strikes, "90:110:0", "low up to high and a positive step"),
        (arguments.strikes, "90:110:-5", "low up to high and a positive step"),
        (arguments.strikes, "0:1e300:1e-300", "more than 1000 values"),
        (arguments.strikes, "1:1000:1,1", "more than 1000 values"),
        (arguments.strikes, "3M", "'3M' is not a number"),
        (arguments.strikes, "nan", "'nan' is not a number"),
        (arguments.strikes, "inf", "'inf' is not a number"),
        (arguments.strikes, "9" * 400, "…' is not a number"),
        (arguments.maturities, "3Q", "'3Q' is not a maturity; write years such as 0.25, or a"),
        (arguments.maturities, "1M2", "'1M2' is not a maturity"),
        (arguments.maturities, "M", "'M' is not a maturity"),
        (arguments.maturities, "-30d", "'-30d' is not a maturity"),
        (arguments.maturities, "-1", "'-1' is not a maturity"),
        (arguments.maturities, "nan", "'nan' is not a maturity"),
        (arguments.maturities, "9" * 400 + "y", "…' is not a maturity"),
        (arguments.not_negative, "-0.1", "'-0.1' is negative"),
        (arguments.path, " ", "the name is empty"),
        (arguments.integer(0, 65_535), "99999", "'99999' is not an integer from 0 to 65535"),
        (arguments.integer(0, 65_535), "9" * 5000, "is not an integer"),
        (arguments.integer(1, 9), "1.0", "is not an integer"),
        (arguments.integer(1, 9), "٣", "is not an integer"),
    ],
)
def test_what_cannot_be_read_is_named_with_an_example(
    parse: Callable[[str], Any], text: str, message: str
) -> None:
    with pytest.raises(ArgumentTypeError) as refusal:
        parse(text)
    assert message in str(refusal.value)
    assert len(str(refusal.value)) < 200
