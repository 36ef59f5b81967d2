"""API keys: who may ask."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from levy_gateway import keys
from levy_gateway.app import create_app
from levy_gateway.keys import KeyRing, digest_of, new_key
from levy_gateway.settings import GatewaySettings

KEY = new_key()


@pytest.fixture
def locked(pricing: Any, calibration: Any) -> Iterator[TestClient]:
    settings = GatewaySettings(api_keys={"desk": digest_of(KEY), "risk": digest_of("levy_other")})
    with TestClient(create_app(settings, pricing=pricing, calibration=calibration)) as made:
        yield made


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": f"Bearer {KEY}"}, {"Authorization": f"bearer  {KEY}"}, {"X-API-Key": KEY}],
)
def test_a_registered_key_is_accepted(locked: TestClient, headers: dict[str, str]) -> None:
    assert locked.get("/models", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Bearer {digest_of(KEY)}"},
        {"X-API-Key": ""},
        {"X-API-Key": KEY[:-1]},
        {"X-API-Key": "ключ".encode()},
    ],
)
def test_any_other_key_is_rejected_before_the_body_is_read(
    locked: TestClient, pricing: Any, headers: dict[str, Any]
) -> None:
    for answer in (locked.get("/models", headers=headers), locked.post("/price", headers=headers)):
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json()["code"] == "unauthorized"
    assert pricing.requests == []
    refused = 'levy_gateway_requests_refused_total{reason="unauthorized"} 2.0'
    assert refused in locked.get("/metrics").text


@pytest.mark.parametrize(
    "path",
    ["/", "/docs", "/openapi.json", "/health", "/health/live", "/metrics", "/problems/deadline"],
)
def test_health_and_documentation_need_no_key(locked: TestClient, path: str) -> None:
    assert locked.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/nowhere", "/healthy", "/docsx", "/problems", "/Metrics"])
def test_whatever_is_not_listed_as_open_needs_a_key(locked: TestClient, path: str) -> None:
    assert locked.get(path).status_code == 401


def test_a_key_is_in_no_log_and_its_holder_is_in_all(
    locked: TestClient, logged: list[Any], price_request: dict[str, Any]
) -> None:
    locked.post("/price", json=price_request, headers={"X-API-Key": KEY})
    locked.post("/price", json=price_request, headers={"X-API-Key": "levy_wrong"})
    assert logged
    assert KEY not in str(logged)
    assert "levy_wrong" not in str(logged)


def test_nobody_needs_a_key_where_there_are_none(client: TestClient) -> None:
    assert client.get("/models").status_code == 200


def test_every_digest_is_compared_and_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(presented: bytes, kept: bytes) -> bool:
        compared.append(kept)
        return presented == kept

    monkeypatch.setattr(keys.hmac, "compare_digest", compare)
    ring = KeyRing({name: digest_of(name) for name in ("a", "b", "c")})
    assert ring.holder("a") == "a"
    assert len(compared) == 3


def test_keys_are_long_different_and_recognisable() -> None:
    made = {new_key() for _ in range(100)}
    assert len(made) == 100
    assert all(key.startswith("levy_") and len(key) == 48 for key in made)


def test_a_new_key_is_shown_with_what_settings_keep(capsys: pytest.CaptureFixture[str]) -> None:
    keys.main("desk")
    said = capsys.readouterr().out
    key = said.split("\n")[1].strip()
    assert f'"desk": "{digest_of(key)}"' in said


def test_production_does_not_start_without_keys() -> None:
    with pytest.raises(ValidationError, match="LEVY_GATEWAY_API_KEYS is empty"):
        GatewaySettings(require_keys=True)


def test_a_key_given_where_a_digest_belongs_is_rejected_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEVY_GATEWAY_API_KEYS", f'{{"desk": "{KEY}"}}')
    with pytest.raises(ValidationError) as refusal:
        GatewaySettings.from_environment()
    assert "api_keys" in str(refusal.value)
    assert KEY not in str(refusal.value)


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEVY_GATEWAY_API_KEYS", f'{{"desk": "{digest_of(KEY)}"}}')
    monkeypatch.setenv("LEVY_GATEWAY_REQUIRE_KEYS", "true")
    assert GatewaySettings.from_environment().api_keys == {"desk": digest_of(KEY)}
