"""Validation of requests."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from levy_schemas.calibration import CalibrationRequest
from levy_schemas.comparison import ComparisonRequest
from levy_schemas.jobs import BayesianRequest
from levy_schemas.pricing import PriceRequest

PRICE: dict[str, Any] = {
    "model_type": "VarianceGamma",
    "parameters": {"sigma": 0.2, "nu": 0.4, "theta": -0.15},
    "spot_price": 100,
    "risk_free_rate": 0.05,
    "strikes": [90, 100.5],
    "maturities": [0.5],
}
GRID: dict[str, Any] = {
    "model_type": "VarianceGamma",
    "spot_price": 100.0,
    "risk_free_rate": 0.05,
    "strikes": [90, 100, 110],
    "maturities": [0.5, 1.0],
    "prices": [[14.0, None, 3.2], [17.2, 11.0, 6.5]],
}
QUOTES: dict[str, Any] = {
    "model_type": "VarianceGamma",
    "forwards": [{"maturity": 0.5, "forward": 102.0, "discount": 0.97}],
    "quotes": [
        {"strike": 90, "maturity": 0.5, "option_type": "put", "bid": 1.0, "ask": 1.2},
        {"strike": 110, "maturity": 0.5, "price": 3.0},
    ],
}


def places(model: Any, data: dict[str, Any]) -> list[str]:
    """Return the JSON pointers of the errors."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(data)
    return [
        "/" + "/".join(map(str, e["loc"])) if e["loc"] else e.get("ctx", {}).get("pointer", "")
        for e in caught.value.errors()
    ]


def test_whole_numbers_are_numbers() -> None:
    assert PriceRequest.model_validate(PRICE).strikes == (90.0, 100.5)


@pytest.mark.parametrize("wrong", [True, "100", None, [100], float("nan"), float("inf"), -1, 1e300])
def test_what_is_not_a_sensible_number_is_rejected_as_a_spot(wrong: object) -> None:
    assert places(PriceRequest, PRICE | {"spot_price": wrong}) == ["/spot_price"]


@pytest.mark.parametrize("text", ['{"spot_price": NaN}', '{"spot_price": Infinity}'])
def test_json_with_nan_or_infinity_is_rejected(text: str) -> None:
    merged = json.dumps(PRICE)[:-1] + "," + text[1:]
    with pytest.raises(ValidationError):
        PriceRequest.model_validate_json(merged)


def test_a_misspelt_option_is_rejected_by_name() -> None:
    assert places(PriceRequest, PRICE | {"dividend": 0.0}) == ["/dividend"]


def test_the_word_yes_is_not_a_boolean() -> None:
    assert places(PriceRequest, PRICE | {"greeks": "yes"}) == ["/greeks"]


def test_more_than_a_thousand_options_are_rejected() -> None:
    crowd = {
        "strikes": [float(k) for k in range(1, 102)],
        "maturities": [0.1 * m for m in range(1, 11)],
    }
    assert places(PriceRequest, PRICE | crowd) == ["/strikes"]


def test_a_thousand_options_are_taken() -> None:
    crowd = {
        "strikes": [float(k) for k in range(1, 101)],
        "maturities": [0.1 * m for m in range(1, 11)],
    }
    assert len(PriceRequest.model_validate(PRICE | crowd).strikes) == 100


def test_a_grid_with_holes_is_taken() -> None:
    request = CalibrationRequest.model_validate(GRID)
    assert request.prices is not None
    assert request.prices[0][1] is None
    assert request.method == "hybrid"
    assert request.uncertainty == "robust"


def test_a_list_of_quotes_with_forwards_is_taken() -> None:
    request = CalibrationRequest.model_validate(QUOTES)
    assert request.quotes is not None
    assert request.quotes[0].bid == 1.0


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"prices": [[1, 2, 3]]}, "/prices"),
        ({"prices": [[1, 2, 3], [1, 2]]}, "/prices/1"),
        ({"prices": None}, "/prices"),
        ({"strikes": None, "maturities": None, "prices": None}, ""),
        ({"quotes": [{"strike": 1, "maturity": 1, "price": 1}]}, "/strikes"),
        ({"spot_price": None}, "/spot_price"),
        ({"risk_free_rate": None}, "/risk_free_rate"),
        ({"forwards": [{"maturity": 1, "forward": 1, "discount": 1}]}, "/risk_free_rate"),
        ({"weights": "bid_ask"}, "/weights"),
    ],
)
def test_an_inconsistent_grid_is_rejected_with_a_pointer(
    change: dict[str, Any], place: str
) -> None:
    assert places(CalibrationRequest, GRID | change) == [place]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"option_type": "put"}, "/option_type"),
        ({"forwards": [{"maturity": 1.0, "forward": 102.0, "discount": 1}]}, "/quotes/0/maturity"),
        ({"forwards": QUOTES["forwards"] * 2}, "/forwards"),
        ({"weights": "bid_ask"}, "/quotes/1"),
    ],
)
def test_an_inconsistent_list_is_rejected_with_a_pointer(
    change: dict[str, Any], place: str
) -> None:
    assert places(CalibrationRequest, QUOTES | change) == [place]


@pytest.mark.parametrize("quote", [{"bid": 1.0}, {"ask": 1.0}, {}])
def test_a_quote_without_a_price_or_both_sides_is_rejected(quote: dict[str, float]) -> None:
    data = QUOTES | {"quotes": [{"strike": 90, "maturity": 0.5, **quote}]}
    assert places(CalibrationRequest, data)[0] == "/quotes/0"


def changed_quote(**changes: Any) -> dict[str, Any]:
    """Return a request whose second quote is changed; None removes a field."""
    quote = {k: v for k, v in (QUOTES["quotes"][1] | changes).items() if v is not None}
    return QUOTES | {"quotes": [QUOTES["quotes"][0], quote]}


def test_a_quote_may_have_an_implied_vol_instead_of_a_price() -> None:
    request = CalibrationRequest.model_validate(changed_quote(price=None, implied_vol=0.2))
    assert request.quotes is not None
    assert request.quotes[1].implied_vol == 0.2


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"implied_vol": 0.2}, "/quotes/1", "give price or implied_vol, not both"),
        ({"price": None}, "/quotes/1", "give a price, a bid and an ask, or an implied_vol"),
        ({"price": None, "implied_vol": 20.5}, "/quotes/1/implied_vol", "divide percent by 100"),
        ({"price": None, "implied_vol": 0.0}, "/quotes/1/implied_vol", "greater than 0"),
        ({"price": None, "implied_vol": -0.2}, "/quotes/1/implied_vol", "greater than 0"),
        ({"price": None, "implied_vol": "0.2"}, "/quotes/1/implied_vol", "valid number"),
        ({"price": None, "implied_vol": True}, "/quotes/1/implied_vol", "valid number"),
        (
            {"price": None, "implied_vol": 4.5},
            "/quotes/1/implied_vol",
            "implied_vol 4.5 means 450% a year, and most are above 300%; divide percent by 100",
        ),
    ],
)
def test_an_implied_vol_that_is_not_a_fraction_is_refused(
    changes: dict[str, Any], place: str, message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        CalibrationRequest.model_validate(changed_quote(**changes))
    (error,) = caught.value.errors()
    assert message in error["msg"]
    assert places(CalibrationRequest, changed_quote(**changes)) == [place]


@pytest.mark.parametrize(
    ("model", "style"),
    [
        (CalibrationRequest, "bermudan"),
        (ComparisonRequest, "american"),
        (BayesianRequest, "american"),
    ],
)
def test_early_exercise_is_refused_with_the_remedy(model: Any, style: str) -> None:
    data = {name: value for name, value in QUOTES.items() if name in model.model_fields}
    assert model.model_validate(data).exercise == "european"
    assert model.model_validate(data | {"exercise": "european"}).exercise == "european"
    with pytest.raises(ValidationError, match="of the European equivalents"):
        model.model_validate(data | {"exercise": style})
    assert places(model, data | {"exercise": style}) == ["/exercise"]
    assert places(model, data | {"exercise": "asian"}) == ["/exercise"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (
            {
                "spot_price": None,
                "forwards": [{"maturity": 0.5, "forward": 101.0, "discount": 0.98}],
                "risk_free_rate": None,
                "dividend_yield": None,
            },
            "/spot_price",
        ),
        ({"per_maturity": True}, "/per_maturity"),
        ({"method": "neural"}, "/method"),
        (
            {"quotes": [{"strike": 100.0, "maturity": 0.5, "implied_vol": 0.2}]},
            "/quotes/0/implied_vol",
        ),
    ],
)
def test_american_quotes_are_refused_where_they_lack_what_a_fit_requires(
    change: dict[str, Any], pointer: str
) -> None:
    market = {"spot_price": 100.0, "risk_free_rate": 0.05}
    quotes = {"quotes": [{"strike": 100.0, "maturity": 0.5, "price": 6.0}]}
    data = {"model_type": "BlackScholes", "exercise": "american"} | market | quotes
    assert CalibrationRequest.model_validate(data).has_american
    assert places(CalibrationRequest, data | change) == [pointer]


def test_a_quote_may_state_its_own_exercise() -> None:
    quote = {"strike": 100.0, "maturity": 0.5, "price": 6.0}
    data = {"model_type": "BlackScholes", "spot_price": 100.0, "risk_free_rate": 0.05}
    american = quote | {"exercise": "american"}
    for exercise, quotes, expected in (
        ("european", [quote, american], True),
        ("american", [quote | {"exercise": "european"}], False),
    ):
        request = CalibrationRequest.model_validate(data | {"exercise": exercise, "quotes": quotes})
        assert request.has_american is expected
