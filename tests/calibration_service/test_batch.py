"""Several surfaces in one request."""

from typing import Any

from fastapi.testclient import TestClient


def test_each_surface_of_a_batch_is_answered_in_its_place(
    client: TestClient, grid_request: dict[str, Any], quotes_request: dict[str, Any]
) -> None:
    alone = [client.post("/calibrate", json=one).json() for one in (grid_request, quotes_request)]
    batch = {"surfaces": [grid_request, quotes_request]}
    answer = client.post("/calibrate", json=batch, headers={"X-Request-ID": "desk-7"})
    assert answer.status_code == 200
    assert answer.json()["request_id"] == "desk-7"
    found = [one["result"] for one in answer.json()["results"]]
    assert [one["parameters"] for one in found] == [one["parameters"] for one in alone]


def test_a_surface_that_cannot_be_fitted_does_not_sink_the_others(
    client: TestClient, grid_request: dict[str, Any]
) -> None:
    unknown = grid_request | {"model_type": "Nonsense"}
    hopeless = grid_request | {"prices": [[0.0] * 7] * 3}
    answer = client.post("/calibrate", json={"surfaces": [unknown, grid_request, hopeless]})
    assert answer.status_code == 200
    first, second, third = answer.json()["results"]
    assert first["result"] is None
    assert first["problem"]["code"] == "unknown-model"
    assert second["problem"] is None
    assert second["result"]["status"] == "converged"
    assert third["problem"]["code"] == "invalid-input"
