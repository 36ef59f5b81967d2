"""Published prices, and golden prices of hard cases; see tests/reference/README.md."""

import csv
import json
from typing import Any

import numpy as np
import pytest

from levy_numerics import models, pricing
from levy_numerics.market import Contracts
from levy_numerics.models import Model
from levy_numerics.pricing.reference import cosine
from tests.reference.textbook import HERE, textbooks

PUBLISHED = list(csv.DictReader((HERE / "european_prices.csv").read_text().splitlines()))
HARD = [
    pytest.param(book.model, each, id=f"{book.model}: {each['why']}")
    for book in textbooks().values()
    for each in book.content["set"]
]
# Relative accuracy of each method at its default settings, on the published contracts.
RELATIVE = {"sinh": 1e-9, "lewis": 1e-9, "cos": 5e-6, "carr_madan": 1e-3}

every_method = pytest.mark.parametrize("method", pricing.methods())


def published(row: dict[str, str]) -> tuple[Model, Contracts]:
    model = models.from_mapping(row["model"], json.loads(row["params"]))
    contracts = Contracts.grid(
        spot=float(row["spot"]),
        rate=float(row["rate"]),
        dividend_yield=float(row["dividend_yield"]),
        strikes=[float(row["strike"])],
        maturities=[float(row["maturity_years"])],
        is_call=row["option_type"] == "call",
    )
    return model, contracts


def hard(name: str, each: dict[str, Any]) -> tuple[Model, Contracts, np.ndarray]:
    """Return out-of-the-money options on a forward of one."""
    model = models.from_mapping(name, each["parameters"])
    years, strikes = np.meshgrid(each["maturity_years"], each["strike"], indexing="ij")
    strike = strikes.ravel()
    contracts = Contracts.of(
        maturity_years=years.ravel(), strike=strike, forward=1.0, is_call=strike >= 1.0
    )
    return model, contracts, np.ravel(each["golden"])


@every_method
@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row["id"])
def test_published_prices_are_met(row: dict[str, str], method: str) -> None:
    model, contracts = published(row)
    actual = pricing.price(model, contracts, method=method)
    golden = float(row["golden"])
    assert abs(actual.value[0] - golden) < RELATIVE[method] * golden


@pytest.mark.parametrize("row", [r for r in PUBLISHED if r["published"]], ids=lambda r: r["id"])
def test_golden_prices_are_the_published_ones_up_to_their_rounding(row: dict[str, str]) -> None:
    assert abs(float(row["golden"]) / float(row["published"]) - 1.0) < 5e-5


@pytest.mark.parametrize(("name", "each"), HARD)
def test_sinh_is_right_in_the_hard_corners(name: str, each: dict[str, Any]) -> None:
    model, contracts, golden = hard(name, each)
    actual = pricing.price(model, contracts, method="sinh")
    assert np.all(np.abs(actual.value - golden) < 1e-10)


@pytest.mark.parametrize(("name", "each"), HARD)
def test_an_error_estimate_is_never_below_the_error(name: str, each: dict[str, Any]) -> None:
    model, contracts, golden = hard(name, each)
    for tolerance in (1e-6, 1e-8, 1e-10):
        actual = pricing.price(model, contracts, method="sinh", tolerance=tolerance)
        assert np.all(np.abs(actual.value - golden) <= actual.error + 1e-15)


@pytest.mark.parametrize("method", [m for m in pricing.methods() if m != "sinh"])
@pytest.mark.parametrize(("name", "each"), HARD)
def test_every_method_bounds_its_error(name: str, each: dict[str, Any], method: str) -> None:
    model, contracts, golden = hard(name, each)
    actual = pricing.price(model, contracts, method=method)
    assert np.all(np.abs(actual.value - golden) <= actual.error + 1e-12)


@pytest.mark.parametrize(("name", "each"), HARD)
def test_the_referee_is_right_in_the_hard_corners(name: str, each: dict[str, Any]) -> None:
    model, contracts, golden = hard(name, each)
    actual = pricing.price(model, contracts, method="lewis")
    assert np.all(np.abs(actual.value - golden) < 1e-11)


@pytest.mark.parametrize(("name", "each"), HARD)
def test_parity_holds_in_the_hard_corners(name: str, each: dict[str, Any]) -> None:
    model, contracts, _ = hard(name, each)
    sides = [
        Contracts.of(
            maturity_years=contracts.maturity_years,
            strike=contracts.strike,
            forward=contracts.forward,
            is_call=is_call,
        )
        for is_call in (True, False)
    ]
    call, put = (pricing.price(model, side).value for side in sides)
    np.testing.assert_allclose(call - put, contracts.forward - contracts.strike, atol=1e-13)


# Fang and Oosterlee (2008), tables 7 to 10: terms, and the largest error they report. Theirs are
# at one strike with another interval, so only the order of magnitude is comparable.
CONVERGENCE = [
    *(("FO08-T7-T0.1", n, e) for n, e in ((128, 7.0e-4), (1024, 5.7e-7), (2048, 8.0e-8))),
    *(("FO08-T7-T1", n, e) for n, e in ((30, 7.1e-3), (60, 1.3e-5), (90, 2.8e-7), (150, 1.5e-9))),
    *(("FO08-T8-Y0.5", n, e) for n, e in ((40, 3.8e-2), (140, 4.0e-9))),
    *(("FO08-T9-Y1.5", n, e) for n, e in ((40, 1.4), (65, 7.5e-10))),
    ("FO08-T10-Y1.98", 20, 4.2e-2),
]


@pytest.mark.parametrize(("name", "n_terms", "reported"), CONVERGENCE)
def test_cos_converges_as_its_paper_reports(name: str, n_terms: int, reported: float) -> None:
    row = next(row for row in PUBLISHED if row["id"] == name)
    model, contracts = published(row)
    actual = cosine.price(model, contracts, n_terms=n_terms)
    error = abs(actual.value[0] - float(row["golden"]))
    assert error < 3.0 * reported
    assert error <= actual.error[0]
