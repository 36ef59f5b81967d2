"""Every error is a problem document."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from levy_schemas.comparison import ComparisonRequest
from levy_service.problems import invalid_fields

JSON = {"Content-Type": "application/json"}


def test_an_unknown_address_is_a_problem(client: TestClient) -> None:
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "not-found"
    assert problem["type"] == "/problems/not-found"
    assert problem["instance"] == "/nowhere"
    assert problem["request_id"] == answer.headers["X-Request-ID"]


def test_a_wrong_method_is_a_problem_with_the_allowed_ones(client: TestClient) -> None:
    answer = client.get("/points")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST, OPTIONS"
    assert answer.json()["code"] == "method-not-allowed"


def test_an_error_with_a_code_keeps_its_code_and_its_details(client: TestClient) -> None:
    answer = client.get("/coded")
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["parameter"] == "nu"
    assert problem["condition"] == "nu > 0"
    assert problem["status"] == 422
    assert problem["errors"][0]["pointer"] == "/parameters/nu"


def test_an_internal_error_reveals_only_its_request_id(
    client: TestClient, logged: list[Any]
) -> None:
    answer = client.get("/broken", headers={"X-Request-ID": "desk-7"})
    assert answer.status_code == 500
    assert "swordfish" not in answer.text
    assert answer.json()["request_id"] == "desk-7"
    assert answer.headers["X-Request-ID"] == "desk-7"
    (failure,) = (event for event in logged if event["event"] == "request.failed")
    assert failure["exc_info"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 900,
        b'{"x": NaN}',
        b'{"x": Infinity}',
        b'{"x": 1e999}',
        b'{"x": 1' + b"0" * 500 + b"}",
        b'{"x": "\xff"}',
        b'{"x": "\\ud800"}',
        b"[1]",
        b"null",
    ],
)
def test_what_is_not_json_of_the_right_form_is_rejected(client: TestClient, body: bytes) -> None:
    answer = client.post("/points", content=body, headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid-input"


def test_errors_point_at_their_place(client: TestClient) -> None:
    answer = client.post("/points", json={"x": []})
    assert [place["pointer"] for place in answer.json()["errors"]] == ["/x"]


def test_an_invalid_parameter_of_the_path_is_named_instead(client: TestClient) -> None:
    response = client.get("/points/first").json()
    (location,) = response["errors"]
    assert (location["parameter"], location["pointer"]) == ("number", "")
    assert response["detail"].startswith("number: ")


def test_messages_distinguish_missing_unknown_and_empty_fields() -> None:
    with pytest.raises(ValidationError) as caught:
        ComparisonRequest.model_validate({"models": [], "weight": "vega", "prices": [[1.0, True]]})
    errors = [error | {"loc": ("body", *error["loc"])} for error in caught.value.errors()]
    assert {field.pointer: field.detail for field in invalid_fields(errors)} == {
        "/models": "has 0 entries; give at least 1",
        "/weight": "is not a known field; check its spelling",
        "/prices/0/1": "Input should be a valid number",
    }


def test_a_body_of_another_type_is_rejected(client: TestClient) -> None:
    answer = client.post("/points", content=b"x=1", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415


def test_a_body_that_announces_too_much_is_rejected_unread(client: TestClient) -> None:
    answer = client.post("/points", content=b"x" * 1001, headers=JSON)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_that_sends_too_much_in_pieces_is_rejected(client: TestClient) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(11):
            yield b"x" * 100

    answer = client.post("/points", content=pieces(), headers=JSON)
    assert answer.status_code == 413
    assert answer.json()["code"] == "body-too-large"


def test_a_body_at_the_limit_is_read(client: TestClient) -> None:
    body = b'{"x": 1' + b" " * 992 + b"}"
    assert len(body) == 1000
    assert client.post("/points", content=body, headers=JSON).status_code == 200
