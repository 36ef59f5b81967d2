"""Operations return the errors that they document."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from levy_gateway.app import create_app
from levy_gateway.authentication import is_open
from levy_gateway.keys import digest_of
from levy_gateway.settings import GatewaySettings


@pytest.fixture(scope="module")
def locked() -> TestClient:
    return TestClient(create_app(GatewaySettings(api_keys={"desk": digest_of("levy_key")})))


def operations(app: FastAPI) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    ]


def test_operations_document_whether_they_require_a_key(gateway: FastAPI) -> None:
    guarded = [(path, each) for _, path, each in operations(gateway) if not is_open(path)]
    assert {"/price", "/calibrate", "/compare", "/models"} <= {path for path, _ in guarded}
    for path, operation in guarded:
        assert {"401", "429"} <= set(operation["responses"]), path
        assert {"bearer": []} in operation["security"]
        assert "Retry-After" in operation["responses"]["429"]["headers"]


def test_every_other_takes_none(gateway: FastAPI) -> None:
    for _, path, operation in operations(gateway):
        if is_open(path):
            assert "security" not in operation
            assert "401" not in operation["responses"]


def test_without_a_key_every_guarded_operation_returns_401(
    gateway: FastAPI, locked: TestClient
) -> None:
    for method, path, _ in operations(gateway):
        if not is_open(path):
            answer = locked.request(method, path.replace("{", "").replace("}", ""))
            assert answer.status_code == 401, path
            assert answer.json()["code"] == "unauthorized"
