"""The gateway checks, forwards and answers."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from levy_gateway.app import create_app
from levy_gateway.clients import Reply, UpstreamError, UpstreamUnavailableError
from levy_gateway.settings import GatewaySettings
from levy_schemas.problems import PROBLEMS
from levy_service.work import DeadlineError


def test_a_validated_request_is_forwarded_unchanged(
    client: TestClient, pricing: Any, price_request: dict[str, Any]
) -> None:
    sent = json.dumps(price_request, indent=3).encode()
    answer = client.post("/price", content=sent, headers={"Content-Type": "application/json"})
    assert answer.json() == {"prices": [[7.5]]}
    assert pricing.requests == [("POST", "/price", pytest.approx(10.0, abs=0.1), sent)]


def test_calibrations_go_to_the_calibration_service(
    client: TestClient, calibration: Any, calibrate_request: dict[str, Any]
) -> None:
    answer = client.post("/calibrate", json=calibrate_request)
    assert answer.json() == {"model_type": "VarianceGamma"}
    assert [path for _, path, _, _ in calibration.requests] == ["/calibrate"]


def test_comparisons_go_to_the_calibration_service(
    client: TestClient, calibration: Any, calibrate_request: dict[str, Any]
) -> None:
    del calibrate_request["model_type"]
    answer = client.post("/compare", json=calibrate_request | {"models": ["NIG"]})
    assert answer.json() == {"results": []}
    assert [path for _, path, _, _ in calibration.requests] == ["/compare"]


def test_a_batch_is_forwarded_unchanged(
    client: TestClient, calibration: Any, calibrate_request: dict[str, Any]
) -> None:
    sent = json.dumps({"surfaces": [calibrate_request] * 3}).encode()
    answer = client.post("/calibrate", content=sent, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    assert calibration.requests == [("POST", "/calibrate", pytest.approx(30.0, abs=0.1), sent)]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"surfaces": []}, "/surfaces"),
        ({"surfaces": [{}]}, "/surfaces/0/model_type"),
        ({"surfaces": [{"model_type": "NIG", "strikes": ["a"]}]}, "/surfaces/0/strikes/0"),
        ({"surfaces": "all"}, "/surfaces"),
        ({"surface": []}, "/surface"),
    ],
)
def test_an_invalid_batch_is_rejected_with_pointers(
    client: TestClient, calibration: Any, change: dict[str, Any], pointer: str
) -> None:
    answer = client.post("/calibrate", json=change)
    assert answer.status_code == 422
    assert pointer in [place["pointer"] for place in answer.json()["errors"]]
    assert calibration.requests == []


def test_a_batch_has_a_limit(client: TestClient, calibrate_request: dict[str, Any]) -> None:
    answer = client.post("/calibrate", json={"surfaces": [calibrate_request] * 65})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/surfaces"


def test_a_comparison_of_one_model_type_is_rejected_by_the_gateway(
    client: TestClient, calibration: Any, calibrate_request: dict[str, Any]
) -> None:
    answer = client.post("/compare", json=calibrate_request)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/model_type"
    assert calibration.requests == []


def test_a_request_that_does_not_fit_its_schema_goes_nowhere(
    client: TestClient, pricing: Any, price_request: dict[str, Any]
) -> None:
    answer = client.post("/price", json=price_request | {"strikes": [100, "110"]})
    assert answer.status_code == 422
    assert [place["pointer"] for place in answer.json()["errors"]] == ["/strikes/1"]
    assert pricing.requests == []


def test_a_problem_of_a_upstream_service_comes_back_as_it_is(
    client: TestClient, pricing: Any, price_request: dict[str, Any]
) -> None:
    body = b'{"code": "unknown-model"}'
    pricing.replies["/price"] = Reply(404, "application/problem+json", body)
    answer = client.post("/price", json=price_request)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.content == body


def test_a_failure_without_a_problem_document_is_not_forwarded(
    client: TestClient, pricing: Any, price_request: dict[str, Any]
) -> None:
    pricing.replies["/price"] = Reply(500, "application/json", b'{"secret": 1}')
    answer = client.post("/price", json=price_request)
    assert answer.status_code == 502
    assert "secret" not in answer.text


def test_advice_to_try_again_comes_back_too(
    client: TestClient, pricing: Any, price_request: dict[str, Any]
) -> None:
    pricing.replies["/price"] = Reply(503, "application/problem+json", b"{}", retry_after="7")
    assert client.post("/price", json=price_request).headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UpstreamUnavailableError("pricing", 2), "upstream-unavailable"),
        (UpstreamError("pricing"), "upstream-error"),
        (DeadlineError(30.0), "deadline"),
        (RuntimeError("secret"), "internal"),
    ],
)
def test_trouble_with_a_upstream_service_is_a_documented_problem(
    client: TestClient, pricing: Any, price_request: dict[str, Any], error: Exception, code: str
) -> None:
    pricing.error = error
    for answer in (client.post("/price", json=price_request), client.get("/models")):
        assert answer.status_code == PROBLEMS[code].status
        assert answer.json()["code"] == code
        assert "secret" not in answer.text


def test_a_request_to_an_unavailable_upstream_service_may_be_retried(
    client: TestClient, calibration: Any, calibrate_request: dict[str, Any]
) -> None:
    calibration.error = UpstreamUnavailableError("calibration", 2)
    answer = client.post("/calibrate", json=calibrate_request)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"


def test_models_are_listed_with_what_networks_read(client: TestClient) -> None:
    answer = client.get("/models").json()
    assert answer["models"] == ["VarianceGamma", "BlackScholes"]
    assert answer["input_dimensions"] == {"VarianceGamma": 200}
    assert answer["catalogue"][0]["parameters"][0]["symbol"] == "σ"


def test_a_catalogue_that_is_none_is_a_failed_upstream_service(
    client: TestClient, pricing: Any
) -> None:
    pricing.replies["/models"] = Reply(200, "application/json", b"[]")
    assert client.get("/models").status_code == 502


def test_all_ready_is_healthy(client: TestClient) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "healthy",
        "model_loaded": True,
        "services": {"pricing": {"status": "ready"}, "calibration": {"status": "ready"}},
    }


def test_one_unavailable_service_is_degraded(client: TestClient, calibration: Any) -> None:
    calibration.error = UpstreamUnavailableError("calibration", 2)
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["model_loaded"] is False
    assert answer.json()["services"]["calibration"] == {"status": "unreachable"}


def test_a_service_that_is_not_ready_differs_from_an_unreachable_one(
    client: TestClient, pricing: Any
) -> None:
    pricing.replies["/health/ready"] = Reply(503, "application/json", b"{}")
    assert client.get("/health").json()["services"]["pricing"] == {"status": "not_ready"}


def test_no_available_service_is_unhealthy(
    client: TestClient, pricing: Any, calibration: Any
) -> None:
    pricing.error = calibration.error = DeadlineError(1.0)
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unhealthy"


def test_the_gateway_is_ready_without_upstream_services(client: TestClient, pricing: Any) -> None:
    pricing.error = UpstreamUnavailableError("pricing", 2)
    assert client.get("/health/ready").status_code == 200


@pytest.mark.parametrize("code", sorted(PROBLEMS))
def test_the_type_of_a_problem_leads_to_its_explanation(client: TestClient, code: str) -> None:
    answer = client.get(PROBLEMS[code].uri)
    assert answer.json()["title"] == PROBLEMS[code].title
    assert answer.json()["meaning"]


def test_a_kind_of_problem_that_does_not_exist_is_not_found(client: TestClient) -> None:
    assert client.get("/problems/nonsense").status_code == 404


def test_the_former_code_of_a_problem_is_explained_by_its_current_type(client: TestClient) -> None:
    assert client.get("/problems/neighbour-failed").json()["code"] == "upstream-error"


def test_the_landing_page_links_to_the_documentation(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert 'href="/docs"' in answer.text


def test_connections_that_were_opened_are_given_back_at_the_end(
    monkeypatch: pytest.MonkeyPatch, pricing: Any, calibration: Any
) -> None:
    opened = {"pricing": pricing, "calibration": calibration}
    monkeypatch.setattr("levy_gateway.upstreams.UpstreamClient", lambda name, *_: opened[name])
    with TestClient(create_app(GatewaySettings())):
        assert not pricing.closed
    assert pricing.closed
    assert calibration.closed


def test_connections_of_others_stay_open(client: TestClient, pricing: Any) -> None:
    client.__exit__(None, None, None)
    client.__enter__()
    assert not pricing.closed
