"""Formats of the tables that commands print."""

from levy_cli.output import vol_points


def test_an_error_of_one_percent_of_volatility_is_one_vol_point() -> None:
    assert vol_points(0.01) == "1.00"
    assert vol_points(-0.00254) == "-0.25"


def test_an_undefined_error_of_volatility_is_a_dash() -> None:
    assert vol_points(None) == "–"
