"""Malformed requests receive documented responses and never internal errors."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import BaseSchema, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from levy_gateway.app import create_app
from levy_gateway.settings import GatewaySettings
from levy_numerics import models
from levy_schemas.problems import MEDIA_TYPE, PROBLEMS

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
REJECTIONS = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]
"""Statuses of requests that violate the schema; generated bodies may exceed the size limit: 413."""
JSON = {"Content-Type": "application/json"}
SHARED_CLIENT = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture(scope="session")
def api(gateway: FastAPI) -> BaseSchema:
    rejections = {"negative_data_rejection": {"expected-statuses": REJECTIONS}}
    config = schemathesis.Config.from_dict({"checks": rejections})
    return schemathesis.openapi.from_asgi("/openapi.json", gateway, config=config)


def operations() -> Iterator[tuple[str, str, GenerationMode]]:
    """Yield method, path and mode; only a request with a body can be invalid in the schema."""
    for path, methods in create_app(GatewaySettings()).openapi()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, GenerationMode.POSITIVE
            if "requestBody" in operation:
                yield method.upper(), path, GenerationMode.NEGATIVE


@pytest.mark.parametrize(("method", "path", "mode"), list(operations()))
def test_generated_requests_get_documented_responses(
    api: BaseSchema, method: str, path: str, mode: GenerationMode
) -> None:
    requests = api[path][method].as_strategy(generation_mode=mode)

    @given(case=requests)
    @settings(
        max_examples=2 * settings.default.max_examples, suppress_health_check=list(HealthCheck)
    )
    def every_response_is_documented(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=CHECKS)

    every_response_is_documented()


def check(answer: Any) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == MEDIA_TYPE
        assert PROBLEMS[answer.json()["code"]].status == answer.status_code


PATHS = ["/price", "/calibrate", "/compare", "/calibrate/bayesian", "/quotes"]


@given(body=st.binary(max_size=2000), path=st.sampled_from(PATHS))
@settings(max_examples=200, suppress_health_check=SHARED_CLIENT)
def test_any_bytes_return_a_result_or_a_problem(client: TestClient, body: bytes, path: str) -> None:
    check(client.post(path, content=body, headers=JSON))


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["VarianceGamma", "CGMY", "call", "put", "sinh", "laplace"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    [
        *("model_type", "parameters", "spot_price", "risk_free_rate", "dividend_yield"),
        *("strikes", "maturities", "option_type", "method", "greeks", "prices", "quotes"),
        *("forwards", "weights", "uncertainty", "per_maturity", "models", "holdout", "unknown"),
        *("engine", "priors", "num_samples", "seed", "likelihood"),
        *("text", "data", "example", "date", "columns", "scale", "rate", "spot", "max_maturity"),
    ]
)
GOOD: dict[str, dict[str, Any]] = {
    "/quotes": {"text": "maturity_years,strike,option_type,mid,forward\n0.5,90,C,14,101\n"},
    "/price": {
        "model_type": "VarianceGamma",
        "parameters": {"sigma": 0.2, "nu": 0.4, "theta": -0.15},
        "spot_price": 100.0,
        "risk_free_rate": 0.05,
        "strikes": [90.0, 100.0],
        "maturities": [0.5],
    },
    "/calibrate": {
        "model_type": "VarianceGamma",
        "spot_price": 100.0,
        "risk_free_rate": 0.05,
        "strikes": [90.0, 100.0, 110.0],
        "maturities": [0.5],
        "prices": [[14.0, 7.4, 3.2]],
    },
    "/calibrate/bayesian": {
        "model_type": "VarianceGamma",
        "engine": "laplace-psis",
        "spot_price": 100.0,
        "risk_free_rate": 0.05,
        "strikes": [90.0, 100.0, 110.0],
        "maturities": [0.5],
        "prices": [[14.0, 7.4, 3.2]],
    },
    "/compare": {
        "models": ["BlackScholes", "VarianceGamma"],
        "spot_price": 100.0,
        "risk_free_rate": 0.05,
        "strikes": [90.0, 100.0, 110.0],
        "maturities": [0.5],
        "prices": [[14.0, 7.4, 3.2]],
    },
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("place", "member"),
    [
        ("/risk_free_rate", '"risk_free_rate": 0.01, '),
        ("/model_type", '"model_type": "CGMY", "model_type": "NIG", '),
        ("/parameters/nu", '"parameters": {"nu": 1.0, "sigma": 0.2, "nu": 2.0}, '),
        ("/priors/nu/mu", '"priors": {"nu": {"distribution": "normal", "mu": 0, "mu": 1}}, '),
        ("/quotes/1/strike", '"quotes": [{"strike": 90.0}, {"strike": 95.0, "strike": 99.0}], '),
        ("/a:b", '"a:b": "\\u003a:", "a:b": "", '),
    ],
)
def test_a_key_that_occurs_twice_is_rejected_and_located(
    client: TestClient, path: str, place: str, member: str
) -> None:
    members = json.dumps(
        {"risk_free_rate": 0.02}
        | {k: v for k, v in GOOD[path].items() if f'"{k}"' not in member or k == "risk_free_rate"}
    )
    answer = client.post(path, content=("{" + member + members[1:]).encode(), headers=JSON)
    problem = answer.json()
    assert answer.status_code == 422
    assert problem["code"] == "invalid-input"
    assert [e["pointer"] for e in problem["errors"]] == [place]
    assert "occurs twice" in problem["detail"]


NUMBERS = [
    *("NaN", "-NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" * 400, "true", "null", '"1"'),
    *("[1]", "{}", "01", "+1", ".5", "1.", "0x10", "1_000", "1e", '"\\ud800"', "'1'", "1,5"),
]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_that_are_not_finite_are_rejected_as_such(client: TestClient, number: str) -> None:
    text = json.dumps(GOOD["/price"] | {"spot_price": "here"}).replace('"here"', number)
    answer = client.post("/price", content=text.encode(), headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid-input"


def _with_bytes(prefix: bytes, suffix: bytes) -> bytes:
    return prefix + json.dumps(GOOD["/price"]).encode() + suffix


BROKEN = {
    "empty": b"",
    "spaces": b"  ",
    "byte order mark": _with_bytes(b"\xef\xbb\xbf", b""),
    "UTF-16": json.dumps(GOOD["/price"]).encode("utf-16"),
    "trailing garbage": _with_bytes(b"", b" x"),
    "two documents": _with_bytes(b"", b"{}"),
    "zero byte": _with_bytes(b"", b"\x00"),
    "invalid UTF-8": b'{"model_type": "\xff\xfe"}',
    "lone surrogate": b'{"model_type": "\\ud800"}',
    "10,000 brackets": b"[" * 10_000,
    "10,000 closed brackets": b"[" * 10_000 + b"]" * 10_000,
    "800 closed brackets": b"[" * 800 + b"]" * 800,
    "300 objects": b'{"a":' * 300 + b"1" + b"}" * 300,
    "900 objects with a key twice": b'{"a":1,"a":' * 900 + b"1" + b"}" * 900,
    "trailing comma": b'{"model_type": "NIG",}',
    "comment": b'{"model_type": "NIG" /* */}',
    "an array": b"[]",
    "a string": b'"x"',
    "null": b"null",
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_not_one_json_object_is_rejected(client: TestClient, path: str, kind: str) -> None:
    answer = client.post(path, content=BROKEN[kind], headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid-input"


@given(
    path=st.sampled_from(sorted(GOOD)),
    changes=st.dictionaries(FIELDS, anything, min_size=1, max_size=3),
)
@settings(max_examples=300, suppress_health_check=SHARED_CLIENT)
def test_a_valid_request_with_arbitrary_fields_returns_a_result_or_a_problem(
    client: TestClient, path: str, changes: dict[str, Any]
) -> None:
    body = json.dumps(GOOD[path] | changes).encode()
    check(client.post(path, content=body, headers=JSON))


extreme = st.sampled_from([1e-6, 1e-4, 0.01, 1.0, 37.5, 1e3, 1e6, 1e9])
EVERY_MODEL = st.sampled_from(
    [(name, tuple(p.name for p in models.get(name).parameters())) for name in models.names()]
)
value = st.sampled_from(
    [-1e13, -1e6, -3.0, -1e-3, 0.0, 1e-9, 1e-3, 0.3, 0.99, 1.0, 1.99, 5.0, 40.0, 1e6, 1e13]
)


@given(data=st.data(), model=EVERY_MODEL)
@settings(max_examples=150, suppress_health_check=SHARED_CLIENT)
def test_extreme_options_return_prices_or_a_problem(
    client: TestClient, data: st.DataObject, model: tuple[str, tuple[str, ...]]
) -> None:
    name, parameters = model
    body = {
        "model_type": name,
        "parameters": {p: data.draw(value) for p in parameters},
        "spot_price": data.draw(extreme),
        "risk_free_rate": data.draw(st.sampled_from([-1.0, 0.0, 0.05, 1.0])),
        "dividend_yield": data.draw(st.sampled_from([-1.0, 0.0, 1.0])),
        "strikes": data.draw(st.lists(extreme, min_size=1, max_size=3)),
        "maturities": data.draw(
            st.lists(st.sampled_from([1e-4, 0.1, 5.0, 50.0]), min_size=1, max_size=2)
        ),
        "greeks": data.draw(st.booleans()),
        "option_type": data.draw(st.sampled_from(["call", "put"])),
    }
    check(client.post("/price", json=body))


@given(data=st.data(), model=EVERY_MODEL)
@settings(max_examples=60, suppress_health_check=SHARED_CLIENT)
def test_absurd_surfaces_return_fits_or_a_problem(
    client: TestClient, data: st.DataObject, model: tuple[str, tuple[str, ...]]
) -> None:
    price = st.none() | st.sampled_from([0.0, 1e-300, 1e-9, 0.5, 12.0, 99.0, 1e9])
    body = {
        "model_type": model[0],
        "spot_price": data.draw(extreme),
        "risk_free_rate": data.draw(st.sampled_from([-1.0, 0.0, 0.05, 1.0])),
        "strikes": [1e-6, 50.0, 90.0, 100.0, 110.0],
        "maturities": [1e-4, 0.5, 50.0],
        "prices": data.draw(
            st.lists(st.lists(price, min_size=5, max_size=5), min_size=3, max_size=3)
        ),
        "weights": data.draw(st.sampled_from(["price", "vega"])),
    }
    check(client.post("/calibrate", json=body | {"per_maturity": data.draw(st.booleans())}))
    models = {"models": ["BlackScholes", body.pop("model_type")]}
    check(client.post("/compare", json=body | models))
