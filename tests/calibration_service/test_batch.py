"""Several surfaces in one request."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from levy_calibration.handlers.calibrate import calibrate
from levy_calibration.handlers.calibrate_many import calibrate_many
from levy_calibration.metrics import CalibrationMetrics
from levy_calibration.routes import calibrate as calibrate_route
from levy_numerics import pricing
from levy_numerics.calibration.hybrid import Proposal
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import CGMY, VarianceGamma
from levy_numerics.models.base import Model
from levy_schemas.calibration import CalibrationRequest, CalibrationResult
from levy_schemas.cost import Lane
from levy_schemas.headers import DEADLINE_SECONDS
from levy_service import service
from levy_service.work import Threads
from tests.calibration_service.proposers import Declining, Knowing, beside

STRIKES, MATURITIES = np.linspace(80.0, 120.0, 9), np.array([0.25, 0.5, 1.0, 2.0])
VG = [VarianceGamma(sigma=0.2 + 0.02 * k, nu=0.4, theta=-0.15) for k in range(4)]
CGMYS = [CGMY(C=0.5 + 0.1 * k, G=6.0, M=9.0, Y=0.6) for k in range(3)]


def surface(truth: Model, **options: Any) -> dict[str, Any]:
    """Return exact calls of a model on one grid."""
    contracts = Contracts.grid(
        spot=100.0, rate=0.03, dividend_yield=0.01, strikes=STRIKES, maturities=MATURITIES
    )
    prices = pricing.price(truth, contracts).value.reshape(MATURITIES.size, STRIKES.size)
    return {
        "model_type": truth.name,
        "spot_price": 100.0,
        "risk_free_rate": 0.03,
        "dividend_yield": 0.01,
        "strikes": STRIKES.tolist(),
        "maturities": MATURITIES.tolist(),
        "prices": prices.tolist(),
        **options,
    }


def requests_of(surfaces: Sequence[dict[str, Any]]) -> list[CalibrationRequest]:
    return [CalibrationRequest.model_validate(surface) for surface in surfaces]


def app(
    fit: Callable[[CalibrationRequest, Callable[[], None]], Any],
    *,
    threads: int,
    deadline_seconds: float = 30.0,
) -> FastAPI:
    """Return a service whose lists are fitted by `fit`."""

    def prepare(requests: Any, *, checkpoint: Any) -> list[Any]:
        del checkpoint
        return [partial(fit, request) for request in requests]

    def alone(*_: Any, **__: Any) -> Any:
        raise AssertionError("a list is not a single request")

    metrics = CalibrationMetrics()
    made = service.build(
        title="Test", summary="", metrics=metrics, checks=dict, max_body_bytes=256 * 1024
    )
    work: dict[Lane, Threads] = {"long": Threads(threads, deadline_seconds, metrics)}
    made.include_router(calibrate_route.router(alone, prepare, work, metrics))
    return made


@pytest.fixture(scope="module")
def result(grid_request: dict[str, Any]) -> CalibrationResult:
    request = CalibrationRequest.model_validate(grid_request)
    return calibrate(request, engine_version="1")


@dataclass
class Recording:
    """A network that counts its passes and proposes models near the true one."""

    truths: Sequence[Model]
    version: str = "1"
    network: str = "recording"
    passes: list[int] = field(default_factory=list)

    @property
    def model_type(self) -> str:
        return self.truths[0].name

    def propose(self, quotes: Quotes) -> Proposal:
        return self.propose_many([quotes])[0]

    def propose_many(self, surfaces: Sequence[Quotes]) -> list[Proposal]:
        self.passes.append(len(surfaces))
        return [Proposal(beside(self._nearest(quotes)), None, 0.5) for quotes in surfaces]

    def _nearest(self, quotes: Quotes) -> Model:
        misses = [
            float(np.sum((pricing.price(truth, quotes.contracts).value - quotes.price) ** 2))
            for truth in self.truths
        ]
        return self.truths[int(np.argmin(misses))]


def test_results_of_a_batch_are_in_the_order_of_its_surfaces(
    client: TestClient, grid_request: dict[str, Any], quotes_request: dict[str, Any]
) -> None:
    alone = [client.post("/calibrate", json=one).json() for one in (grid_request, quotes_request)]
    batch = {"surfaces": [grid_request, quotes_request]}
    answer = client.post("/calibrate", json=batch, headers={"X-Request-ID": "desk-7"})
    assert answer.status_code == 200
    assert answer.json()["request_id"] == "desk-7"
    found = [one["result"] for one in answer.json()["results"]]
    assert [one["parameters"] for one in found] == [one["parameters"] for one in alone]


@pytest.mark.parametrize("uncertainty", ["none", "robust"])
def test_surfaces_of_one_listing_have_the_results_of_single_requests(
    client: TestClient, uncertainty: str
) -> None:
    surfaces = [surface(truth, uncertainty=uncertainty) for truth in (*VG, *CGMYS)]
    surfaces[1]["method"] = "least_squares"
    surfaces[2]["method"] = "neural"
    surfaces[3]["per_maturity"] = True
    answer = client.post("/calibrate", json={"surfaces": surfaces}).json()
    for sent, item in zip(surfaces, answer["results"], strict=True):
        together = item["result"]
        alone = client.post("/calibrate", json=sent).json()
        assert together.keys() == alone.keys()
        for name in ("model_type", "method", "status", "degraded", "model_version", "warnings"):
            assert together[name] == alone[name]
        assert (together["intervals"] is None) == (alone["intervals"] is None)
        if alone["parameters"] is not None:
            assert together["parameters"] == pytest.approx(alone["parameters"], rel=1e-5)


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


def test_a_fault_of_the_service_is_one_problem_of_the_whole_request(
    grid_request: dict[str, Any],
) -> None:
    def fit(*_: Any) -> Any:
        raise RuntimeError("a fault of ours")

    with TestClient(app(fit, threads=2), raise_server_exceptions=False) as client:
        answer = client.post("/calibrate", json={"surfaces": [grid_request] * 3})
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"


@pytest.mark.parametrize("count", [1, 3])
def test_as_many_surfaces_are_fitted_at_once_as_there_are_threads(
    count: int, grid_request: dict[str, Any], result: CalibrationResult
) -> None:
    together = threading.Barrier(count)

    def fit(*_: Any) -> Any:
        together.wait(timeout=10.0)
        names.add(threading.get_ident())
        return result

    names: set[int] = set()
    with TestClient(app(fit, threads=count)) as client:
        answer = client.post("/calibrate", json={"surfaces": [grid_request] * 3 * count})
    assert answer.status_code == 200
    assert len(names) == count


def test_results_keep_the_order_of_the_surfaces_though_they_end_in_another(
    grid_request: dict[str, Any], result: CalibrationResult
) -> None:
    def fit(request: CalibrationRequest, _: Any) -> Any:
        spot = float(request.spot_price or 0.0)
        time.sleep(0.05 if spot == 100.0 else 0.0)
        return result.model_copy(update={"model_version": f"{spot:g}"})

    spots = [100.0, 101.0, 102.0, 103.0, 104.0]
    surfaces = [grid_request | {"spot_price": spot} for spot in spots]
    with TestClient(app(fit, threads=2)) as client:
        answer = client.post("/calibrate", json={"surfaces": surfaces}).json()
    versions = [item["result"]["model_version"] for item in answer["results"]]
    assert versions == [f"{spot:g}" for spot in spots]


def test_no_surface_is_begun_after_the_deadline(
    grid_request: dict[str, Any], result: CalibrationResult
) -> None:
    begun = []

    def fit(*_: Any) -> Any:
        begun.append(time.monotonic())
        time.sleep(0.2)
        return result

    with TestClient(app(fit, threads=1)) as client:
        headers = {DEADLINE_SECONDS: "0.3"}
        batch = {"surfaces": [grid_request] * 20}
        answer = client.post("/calibrate", json=batch, headers=headers)
        assert answer.status_code == 504
        assert answer.json()["code"] == "deadline"
        time.sleep(0.5)
    assert 1 <= len(begun) <= 3


def test_a_network_reads_all_surfaces_of_one_size_in_one_pass() -> None:
    network = Recording(VG)
    surfaces = [surface(truth) for truth in VG]
    shorter = surface(VG[0]) | {"maturities": MATURITIES[:2].tolist()}
    shorter["prices"] = shorter["prices"][:2]
    fits = calibrate_many(
        requests_of([*surfaces, shorter]), engine_version="1", choose=lambda _: (network,)
    )
    assert network.passes == [4]
    results = [fit(lambda: None) for fit in fits]
    assert network.passes == [4, 1]
    for truth, result in zip((*VG, VG[0]), results, strict=True):
        assert result.method == "hybrid"
        assert result.parameters == pytest.approx(dict(truth.as_mapping()), rel=1e-6)


def test_networks_are_chosen_for_each_surface_on_its_own() -> None:
    champion, challenger = Knowing(VG[0], version="champion"), Knowing(VG[0], version="challenger")
    turns = iter([(champion,), (challenger, champion), (champion,), (challenger, champion)])
    fits = calibrate_many(
        requests_of([surface(VG[0])] * 4), engine_version="1", choose=lambda _: next(turns)
    )
    versions = [fit(lambda: None).model_version for fit in fits]
    assert versions == ["champion", "challenger", "champion", "challenger"]


def test_the_next_network_reads_what_the_first_one_rejects() -> None:
    networks = (Declining(VG[0], version="challenger"), Knowing(VG[0], version="champion"))
    observed = []
    fits = calibrate_many(
        requests_of([surface(VG[0])] * 2),
        engine_version="1",
        choose=lambda _: networks,
        observe=lambda _quotes, fit: observed.append([attempt.outcome for attempt in fit.attempts]),
    )
    assert [fit(lambda: None).model_version for fit in fits] == ["champion", "champion"]
    assert observed == [["abstained", "accepted"]] * 2


def test_a_poor_initial_guess_of_one_surface_leaves_the_others_as_they_are() -> None:
    noisy = surface(VG[0])
    noisy["prices"] = [
        [price * (1.0 + 0.02 * (-1) ** k) for k, price in enumerate(row)] for row in noisy["prices"]
    ]
    poor = VarianceGamma(sigma=1.2, nu=0.02, theta=0.5)
    networks = iter([Knowing(poor, version="poor"), Knowing(VG[0], version="good")])
    fits = calibrate_many(
        requests_of([noisy, surface(VG[0])]), engine_version="1", choose=lambda _: (next(networks),)
    )
    doubtful, exact = (fit(lambda: None) for fit in fits)
    assert doubtful.n_evaluations > 3 * exact.n_evaluations
    assert exact.model_version == "good"
    assert exact.parameters == pytest.approx(dict(VG[0].as_mapping()), rel=1e-6)
