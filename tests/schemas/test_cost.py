"""Expected costs of requests."""

from typing import Any

import pytest

from levy_numerics import models
from levy_schemas.calibration import CalibrationBatch, CalibrationRequest
from levy_schemas.comparison import ComparisonRequest
from levy_schemas.cost import cost_of
from levy_schemas.pricing import PriceRequest
from levy_schemas.surface import EXAMPLE_GRID

FIT: dict[str, Any] = EXAMPLE_GRID | {"model_type": "VarianceGamma"}


@pytest.mark.parametrize(
    ("options", "lane"),
    [
        ({}, "brief"),
        ({"method": "neural"}, "brief"),
        ({"method": "least_squares"}, "long"),
        ({"per_maturity": True}, "long"),
        ({"uncertainty": "psis"}, "long"),
        ({"uncertainty": "discrepancy"}, "long"),
    ],
)
def test_only_fits_from_a_network_are_brief(options: dict[str, Any], lane: str) -> None:
    cost = cost_of(CalibrationRequest(**(FIT | options)))
    assert (cost.lane, cost.size, cost.n_fits) == (lane, 15, 1)


def test_american_quotes_take_several_fits_and_do_not_delay_brief_ones() -> None:
    american = CalibrationRequest(**(FIT | {"exercise": "american"}))
    cost = cost_of(american)
    assert (cost.lane, cost.size, cost.n_fits) == ("long", 15 * 6, 6)
    batch = cost_of(CalibrationBatch(surfaces=(american, CalibrationRequest(**FIT))))
    assert (batch.lane, batch.size, batch.n_fits) == ("long", 15 * 7, 7)


def test_kinds_that_take_different_times_differ() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"model_type": "CGMY"},
        {"method": "least_squares"},
        {"uncertainty": "psis"},
        {"per_maturity": True},
        {"exercise": "american"},
        {"explain": True},
    ]
    kinds = {cost_of(CalibrationRequest(**(FIT | change))).kind for change in changes}
    assert len(kinds) == len(changes)


def test_a_list_counts_as_its_surfaces() -> None:
    one = CalibrationRequest(**FIT)
    cost = cost_of(CalibrationBatch(surfaces=(one,) * 3))
    assert (cost.lane, cost.size, cost.n_fits) == ("long", 45, 3)


def test_kinds_of_lists_do_not_depend_on_names_that_callers_choose() -> None:
    kinds = {
        cost_of(CalibrationBatch(surfaces=(CalibrationRequest(**FIT | {"model_type": name}),))).kind
        for name in ("VarianceGamma", "Nonsense")
    }
    assert len(kinds) == 1


@pytest.mark.parametrize(
    ("options", "n_fits"),
    [
        ({"models": ["NIG", "CGMY"]}, 6),
        ({"models": ["NIG", "CGMY"], "holdout": False}, 2),
        ({}, 3 * len(models.names())),
    ],
)
def test_a_comparison_counts_as_its_fits(options: dict[str, Any], n_fits: int) -> None:
    cost = cost_of(ComparisonRequest(**(EXAMPLE_GRID | options)))
    assert (cost.lane, cost.size, cost.n_fits) == ("long", 15 * n_fits, n_fits)


@pytest.mark.parametrize("greeks", [True, False])
def test_a_price_costs_by_its_options(greeks: bool) -> None:
    request = PriceRequest(
        model_type="BlackScholes",
        parameters={"sigma": 0.2},
        spot_price=100.0,
        risk_free_rate=0.0,
        strikes=(90.0, 100.0, 110.0),
        maturities=(0.5, 1.0),
        greeks=greeks,
    )
    cost = cost_of(request)
    assert (cost.lane, cost.size, cost.n_fits) == ("brief", 6, 1)
    assert ("greeks" in cost.kind) is greeks
