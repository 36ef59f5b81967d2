"""The OpenAPI document contains every constraint that validation applies."""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ValidationError

from levy_schemas.calibration import CalibrationRequest
from levy_schemas.comparison import ComparisonRequest
from levy_schemas.jobs import BayesianRequest
from levy_schemas.pricing import PriceRequest
from levy_schemas.surface import Quote

REQUESTS = (PriceRequest, CalibrationRequest, ComparisonRequest, BayesianRequest)
KEYWORDS = {
    "ge": "minimum",
    "le": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
    "pattern": "pattern",
}
LENGTHS = {
    "min_length": {"minLength", "minItems", "minProperties"},
    "max_length": {"maxLength", "maxItems", "maxProperties"},
}


def nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every mapping in a document."""
    if isinstance(value, Mapping):
        yield value
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for entry in value:
        yield from nodes(entry)


def constraints(model: type[BaseModel]) -> set[tuple[str, Any]]:
    """Return the constraints in the schema by which pydantic validates."""
    found: set[tuple[str, Any]] = set()
    for node in nodes(model.__pydantic_core_schema__):
        for name in (*KEYWORDS, *LENGTHS):
            if isinstance(node.get(name), int | float | str):
                found.add((name, node[name]))
        if node.get("type") == "literal":
            found |= {("enum", value) for value in node["expected"]}
    return found


@pytest.mark.parametrize("model", REQUESTS, ids=lambda model: model.__name__)
def test_every_constraint_is_documented(model: type[BaseModel], gateway: FastAPI) -> None:
    documented: set[tuple[str, Any]] = set()
    for node in nodes(gateway.openapi()):
        documented |= {(k, v) for k, v in node.items() if isinstance(v, int | float | str)}
        documented |= {("pattern", key) for key in node.get("patternProperties", ())}
        if isinstance(node.get("enum"), list):
            documented |= {("enum", value) for value in node["enum"]}
        if "const" in node:
            documented.add(("enum", node["const"]))
    expected = constraints(model)
    assert len(expected) > 10
    missing = [
        (name, value)
        for name, value in expected
        if not any(
            (key, value) in documented for key in LENGTHS.get(name, {KEYWORDS.get(name, name)})
        )
    ]
    assert missing == []


GOOD = {
    "model_type": "VarianceGamma",
    "parameters": {"sigma": 0.2, "nu": 0.4, "theta": -0.15},
    "spot_price": 100.0,
    "risk_free_rate": 0.05,
    "strikes": [90.0],
    "maturities": [0.5],
}
MALFORMED: dict[str, dict[str, Any]] = {
    "unknown field": {"spot": 1.0},
    "pattern of a model": {"model_type": "Variance Gamma"},
    "type of a model": {"model_type": 1},
    "name of a parameter": {"parameters": {"1st": 0.2}},
    "value of a parameter": {"parameters": {"sigma": 1e14}},
    "text for a parameter": {"parameters": {"sigma": "0.2"}},
    "too many parameters": {"parameters": {f"p{k}": 0.1 for k in range(17)}},
    "spot of zero": {"spot_price": 0.0},
    "large spot": {"spot_price": 2e9},
    "text for the spot": {"spot_price": "100"},
    "null for the spot": {"spot_price": None},
    "large rate": {"risk_free_rate": 1.5},
    "low rate": {"dividend_yield": -1.5},
    "no strikes": {"strikes": []},
    "negative strike": {"strikes": [-1.0]},
    "strikes not in a list": {"strikes": 90.0},
    "too many strikes": {"strikes": [100.0] * 1001},
    "maturity of zero": {"maturities": [0.0]},
    "long maturity": {"maturities": [51.0]},
    "unknown option type": {"option_type": "straddle"},
    "unknown method": {"method": "guess"},
    "text for a flag": {"greeks": "yes"},
    "Asian exercise": {"exercise": "asian"},
}


def refuses(change: dict[str, Any]) -> tuple[bool, bool]:
    """Return whether validation and the JSON schema refuse a request."""
    request = GOOD | change
    try:
        PriceRequest.model_validate(request)
    except ValidationError:
        validation = True
    else:
        validation = False
    schema = jsonschema.Draft202012Validator(PriceRequest.model_json_schema())
    return validation, not schema.is_valid(request)


QUOTE = {"strike": 90.0, "maturity": 0.5, "implied_vol": 0.2}
MALFORMED_QUOTES: dict[str, dict[str, Any]] = {
    "volatility in percent": {"implied_vol": 20.0},
    "volatility of zero": {"implied_vol": 0.0},
    "text for a volatility": {"implied_vol": "0.2"},
    "no price": {"implied_vol": None, "strike": 100.0, "option_type": "both"},
    "unknown field": {"iv": 0.2},
}


@pytest.mark.parametrize("change", MALFORMED_QUOTES.values(), ids=MALFORMED_QUOTES)
def test_schema_and_validation_refuse_the_same_quotes(change: dict[str, Any]) -> None:
    schema = jsonschema.Draft202012Validator(Quote.model_json_schema())
    assert schema.is_valid(QUOTE)
    assert Quote.model_validate(QUOTE).implied_vol == 0.2
    assert not schema.is_valid(QUOTE | change)
    assert not schema.is_valid({"strike": 90.0, "maturity": 0.5})
    with pytest.raises(ValidationError):
        Quote.model_validate(QUOTE | change)


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
def test_schema_and_validation_refuse_the_same(change: dict[str, Any]) -> None:
    assert refuses({}) == (False, False)
    assert refuses(change) == (True, True)
