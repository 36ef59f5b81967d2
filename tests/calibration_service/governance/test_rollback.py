"""A rollback is rehearsed: promote, serve, roll back, and the first answers come back."""

from pathlib import Path
from typing import Any

from levy_calibration.app import create_app
from levy_calibration.governance.promotion import promote, roll_back
from levy_calibration.registry import Registry
from levy_calibration.settings import CalibrationSettings
from tests.calibration_service.conftest import TestClient
from tests.calibration_service.governance.conftest import MODEL, small_gate
from tests.calibration_service.test_champion_challenger import standard_grid


def test_after_a_rollback_the_answers_are_those_of_the_first_network(
    registry: Registry, tmp_path: Path
) -> None:
    gate = small_gate(tmp_path)
    # The network's guess itself, which differs between networks where finished fits do not.
    body = standard_grid() | {"method": "neural"}

    def answer(client: TestClient) -> dict[str, Any]:
        found: dict[str, Any] = client.post("/calibrate", json=body).json()
        return {name: found[name] for name in ("model_version", "parameters", "intervals")}

    promote(registry, MODEL, "set", gate=gate)
    settings = CalibrationSettings(registry=registry.root, deadline_seconds=600.0)
    with TestClient(create_app(settings)) as client:
        first = answer(client)
        promote(registry, MODEL, "mlp", gate=gate)
        second = answer(client)
        assert second["model_version"] == registry.artifact(MODEL, "mlp").version
        assert second["parameters"] != first["parameters"]
        roll_back(registry, MODEL)
        assert answer(client) == first
