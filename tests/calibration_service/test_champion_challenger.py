"""Champion and challenger: selection, metrics, promotions."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from levy_calibration.app import create_app
from levy_calibration.handlers.champion_challenger import ChampionChallengerRouter
from levy_calibration.metrics import CalibrationMetrics
from levy_calibration.registry import PACKAGED, Registry
from levy_calibration.registry.artifact import SERVED
from levy_calibration.settings import CalibrationSettings
from levy_numerics import pricing
from levy_numerics.models import VarianceGamma
from levy_surfaces.synthetic import grid
from tests.calibration_service.conftest import TestClient

MODEL = "VarianceGamma"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Copy the bundled networks of Variance Gamma to a folder that tests may change."""
    shutil.copytree(PACKAGED / MODEL, tmp_path / MODEL)
    return Registry.open(tmp_path)


@pytest.fixture
def serve(registry: Registry) -> Any:
    """Run a service with that registry."""

    def start(challenger_share: float = 0.0) -> TestClient:
        settings = CalibrationSettings(registry=registry.root, challenger_share=challenger_share)
        return TestClient(create_app(settings))

    return start


def standard_grid() -> dict[str, Any]:
    """Return a surface on the standard grid."""
    contracts = grid.grid_contracts()
    truth = VarianceGamma(sigma=0.2, nu=0.4, theta=-0.15)
    quotes = {
        "strike": contracts.strike,
        "maturity": contracts.maturity_years,
        "price": pricing.price(truth, contracts).value,
    }
    rows = zip(*(values.tolist() for values in quotes.values()), contracts.is_call, strict=True)
    return {
        "model_type": MODEL,
        "spot_price": 1.0,
        "risk_free_rate": 0.0,
        "quotes": [
            {
                **dict(zip(quotes, row[:3], strict=True)),
                "option_type": "call" if row[3] else "put",
            }
            for row in rows
        ],
    }


def version_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.json()["model_version"])


def counted(client: TestClient, alias: str, outcome: str) -> list[str]:
    wanted = (f'alias="{alias}"', f'outcome="{outcome}"', "levy_calibration_answers_total{")
    lines = client.get("/metrics").text.splitlines()
    return [line for line in lines if all(part in line for part in wanted)]


def test_a_share_of_surfaces_goes_to_the_challenger(registry: Registry) -> None:
    draws = iter([0.1, 0.25, 0.9] * 3)
    serving = ChampionChallengerRouter(registry, 0.25, CalibrationMetrics(), lambda: next(draws))
    aliases = registry.aliases(MODEL)
    read = [[network.version for network in serving.choose(MODEL)] for _ in range(3)]
    champion = [aliases.champion]
    assert read == [[aliases.challenger, aliases.champion], champion, champion]
    assert serving.choose("Kou") == ()


def test_both_are_counted_and_reported(serve: Any, grid_request: dict[str, Any]) -> None:
    with serve(challenger_share=1.0) as client:
        served = client.get("/networks").json()["networks"][MODEL]
        assert served["challenger"].startswith("ensemble-")
        # Too few quotes for the challenger, which reads the grid: it rejects them.
        assert version_of(client.post("/calibrate", json=grid_request)) == served["champion"]
        assert counted(client, "challenger", "abstained")
        assert counted(client, "champion", "accepted")
        assert version_of(client.post("/calibrate", json=standard_grid())) == served["challenger"]
        assert counted(client, "challenger", "accepted")
    with serve() as client:
        served = client.get("/networks").json()["networks"][MODEL]
        assert served["challenger"] is None
        assert version_of(client.post("/calibrate", json=grid_request)) == served["champion"]
        (line,) = counted(client, "champion", "accepted")
        assert line.endswith(" 1.0")
        client.post("/calibrate", json=grid_request | {"model_type": "Kou"})
        assert counted(client, "none", "not_tried")


def test_promotion_and_rollback_need_no_restart(
    serve: Any, registry: Registry, grid_request: dict[str, Any]
) -> None:
    former = registry.aliases(MODEL).champion
    with serve() as client:
        assert version_of(client.post("/calibrate", json=grid_request)) == former
        registry.promote(MODEL, "ensemble")
        promoted = client.get("/networks").json()["networks"][MODEL]
        assert promoted["champion"].startswith("ensemble-")
        assert promoted["input_dimension"] == 200
        registry.rollback(MODEL)
        assert version_of(client.post("/calibrate", json=grid_request)) == former


def test_a_corrupt_network_is_rejected_and_the_previous_one_stays_in_use(
    serve: Any, registry: Registry, grid_request: dict[str, Any], logged: list[Any]
) -> None:
    former = registry.aliases(MODEL).champion
    with serve() as client:
        registry.promote(MODEL, "mlp")
        (registry.artifact(MODEL, "mlp").folder / SERVED).write_bytes(b"spoiled")
        for _ in range(3):
            assert version_of(client.post("/calibrate", json=grid_request)) == former
        served = [event for event in logged if event["event"] == "network.refused"]
        assert [(event["model"], event["alias"]) for event in served] == [(MODEL, "champion")]
        gauge = f'levy_calibration_network_refused{{alias="champion",model="{MODEL}"}}'
        assert f"{gauge} 1.0" in client.get("/metrics").text
        registry.rollback(MODEL)
        assert version_of(client.post("/calibrate", json=grid_request)) == former
        assert f"{gauge} 0.0" in client.get("/metrics").text


def test_a_service_whose_only_network_is_corrupt_starts_degraded(
    serve: Any, registry: Registry, grid_request: dict[str, Any]
) -> None:
    champion = registry.artifact(MODEL, str(registry.aliases(MODEL).champion))
    (champion.folder / SERVED).write_bytes(b"spoiled")
    with serve() as client:
        answer = client.post("/calibrate", json=grid_request).json()
        assert answer["degraded"] is True
        assert answer["method"] == "least_squares"
        assert "no network is ready" in answer["warnings"][0]
        assert client.get("/networks").json()["networks"] == {}
