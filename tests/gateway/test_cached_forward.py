"""Results kept from before: when one will do, and when it will not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from levy_gateway.cache import ResultCache, cache_key
from levy_gateway.clients import Reply, UpstreamUnavailableError
from levy_gateway.fair_queue import FairQueue
from levy_gateway.handlers.cached_forward import CachedForward, CachedReply, CachePolicy
from levy_gateway.handlers.forward import Forward, Forwardable, LaneOfUpstream
from levy_gateway.handlers.served_versions import ServedVersionsPoller
from levy_gateway.metrics import GatewayMetrics
from levy_schemas.calibration import CalibrationRequest
from levy_schemas.cost import cost_of
from levy_service import request_id

JSON = "application/json"


class FakeStore:
    """Redis in a dictionary; it may be away."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.seconds: dict[str, int] = {}
        self.away = False
        self.client = self

    async def attempt(self, _purpose: str, work: Callable[[], Awaitable[Any]]) -> Any:
        return None if self.away else await work()

    async def get(self, key: str) -> bytes | None:
        return self.kept.get(key)

    async def set(self, key: str, value: bytes, *, ex: int) -> bool:
        self.kept[key], self.seconds[key] = value, ex
        return True


class Desk:
    """A gateway's handler between a store and a calibration service, both fakes."""

    def __init__(self, calibration: Any, store: FakeStore, now: list[float]) -> None:
        self.metrics = GatewayMetrics()
        self.queue = FairQueue("brief", 2, 1.0, self.metrics)
        self.forward = CachedForward(
            Forward({"brief": LaneOfUpstream(calibration, self.queue)}, 30.0),
            ServedVersionsPoller(calibration, 1.0, clock=lambda: now[0]),
            ResultCache(store, 60),  # type: ignore[arg-type]  # the fake is what it needs of one
            self.metrics,
        )

    def send(self, request: CalibrationRequest, policy: CachePolicy | None = None) -> CachedReply:
        body = request.model_dump_json().encode()
        sent = Forwardable("/calibrate", body, 5.0, "desk", cost_of(request))
        return asyncio.run(self.forward(sent, request, policy or CachePolicy()))


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def desk(calibration: Any, store: FakeStore, now: list[float]) -> Desk:
    result = {"parameters": {"sigma": 0.2}, "degraded": False, "request_id": "first"}
    calibration.replies["/calibrate"] = Reply(200, JSON, orjson.dumps(result))
    return Desk(calibration, store, now)


@pytest.fixture
def surface(calibrate_request: dict[str, Any]) -> CalibrationRequest:
    return CalibrationRequest(**calibrate_request)


def times_fitted(calibration: Any) -> int:
    return sum(path == "/calibrate" for _, path, _, _ in calibration.requests)


def test_a_cached_result_is_not_computed_again(
    desk: Desk, surface: CalibrationRequest, calibration: Any, store: FakeStore
) -> None:
    first = desk.send(surface)
    request_id.bind("second")
    second = desk.send(surface)
    request_id.bind("")
    assert first.cache_status == "levy; fwd=uri-miss; stored"
    assert second.cache_status == "levy; hit"
    assert times_fitted(calibration) == 1
    assert orjson.loads(second.reply.body) == {
        "parameters": {"sigma": 0.2},
        "degraded": False,
        "request_id": "second",
    }
    assert list(store.seconds.values()) == [60]
    assert (
        b'cache_requests_total{outcome="hit",route="/calibrate"} 1.0' in desk.metrics.exposition()
    )
    assert (
        b'cache_requests_total{outcome="miss",route="/calibrate"} 1.0' in desk.metrics.exposition()
    )


def test_a_client_may_bypass_the_cache(
    desk: Desk, surface: CalibrationRequest, calibration: Any, store: FakeStore
) -> None:
    assert (
        desk.send(surface, CachePolicy(use_cache=False)).cache_status == "levy; fwd=request; stored"
    )
    assert (
        desk.send(surface, CachePolicy(use_cache=False)).cache_status == "levy; fwd=request; stored"
    )
    assert times_fitted(calibration) == 2
    store.kept.clear()
    nothing = CachePolicy(use_cache=False, store=False)
    assert desk.send(surface, nothing).cache_status == "levy; fwd=request"
    assert store.kept == {}


def test_a_degraded_result_is_not_cached(
    desk: Desk, surface: CalibrationRequest, calibration: Any, store: FakeStore
) -> None:
    calibration.replies["/calibrate"] = Reply(200, JSON, b'{"degraded": true}')
    assert desk.send(surface).cache_status == "levy; fwd=uri-miss"
    assert store.kept == {}


def test_a_problem_is_not_kept(
    desk: Desk, surface: CalibrationRequest, calibration: Any, store: FakeStore
) -> None:
    calibration.replies["/calibrate"] = Reply(404, "application/problem+json", b"{}")
    assert desk.send(surface).reply.status == 404
    assert store.kept == {}


def test_a_new_network_makes_old_results_unknown(
    desk: Desk, surface: CalibrationRequest, calibration: Any, now: list[float]
) -> None:
    desk.send(surface)
    promoted = b'{"engine_version": "1", "networks": {"VarianceGamma": {"champion": "set-8"}}}'
    calibration.replies["/networks"] = Reply(200, JSON, promoted)
    assert desk.send(surface).cache_status == "levy; hit"
    now[0] += 3.0
    assert desk.send(surface).cache_status == "levy; fwd=uri-miss; stored"


def test_without_a_current_version_no_earlier_result_is_returned(
    desk: Desk, surface: CalibrationRequest, calibration: Any, now: list[float]
) -> None:
    desk.send(surface)
    calibration.replies["/networks"] = Reply(503, "application/problem+json", b"{}")
    now[0] += 3.0
    assert desk.send(surface).cache_status == "levy; fwd=bypass"
    assert times_fitted(calibration) == 2


def test_without_redis_it_is_computed(
    desk: Desk, surface: CalibrationRequest, calibration: Any, store: FakeStore
) -> None:
    desk.send(surface)
    store.away = True
    assert desk.send(surface).cache_status == "levy; fwd=uri-miss"
    assert times_fitted(calibration) == 2


def test_without_the_served_versions_the_cache_is_bypassed(
    desk: Desk, surface: CalibrationRequest, calibration: Any, store: FakeStore
) -> None:
    calibration.replies["/networks"] = Reply(404, "application/problem+json", b"{}")
    assert desk.send(surface).cache_status == "levy; fwd=bypass"
    assert store.kept == {}


def test_a_cached_result_is_returned_while_the_service_is_unavailable(
    desk: Desk, surface: CalibrationRequest, calibration: Any
) -> None:
    desk.send(surface)
    calibration.error = UpstreamUnavailableError("calibration", 2)
    assert desk.send(surface).cache_status == "levy; hit"


SAME: list[dict[str, Any]] = [
    {"spot_price": 100},
    {"spot_price": 1e2},
    {"dividend_yield": None},
    {"method": "hybrid"},
    {"uncertainty": "robust", "weights": None},
]
OTHER: list[dict[str, Any]] = [
    {"spot_price": 100.00000000000001},
    {"method": "least_squares"},
    {"uncertainty": "none"},
    {"dividend_yield": 0.01},
    {"model_type": "NIG"},
    {"weights": "vega"},
    {"per_maturity": True},
    {"risk_free_rate": 0.04},
    {"prices": [[14.0, 7.0, 3.2]]},
]


def name(request: dict[str, Any], path: str = "/calibrate", version: str = "1") -> str:
    return cache_key(path, CalibrationRequest(**request), version)


@pytest.mark.parametrize("change", SAME)
def test_what_means_the_same_has_one_name(
    calibrate_request: dict[str, Any], change: dict[str, Any]
) -> None:
    backwards = dict(reversed((calibrate_request | change).items()))
    assert name(backwards) == name(calibrate_request)


@pytest.mark.parametrize("change", OTHER)
def test_what_means_something_else_has_another(
    calibrate_request: dict[str, Any], change: dict[str, Any]
) -> None:
    assert name(calibrate_request | change) != name(calibrate_request)


def test_path_and_version_are_part_of_the_name(calibrate_request: dict[str, Any]) -> None:
    names = {
        name(calibrate_request),
        name(calibrate_request, path="/compare"),
        name(calibrate_request, version="2"),
    }
    assert len(names) == 3


def test_a_hit_does_not_reveal_the_requests_of_other_keys(
    desk: Desk, surface: CalibrationRequest
) -> None:
    def status(caller: str) -> str:
        body = surface.model_dump_json().encode()
        sent = Forwardable("/calibrate", body, 5.0, caller, cost_of(surface))
        return asyncio.run(desk.forward(sent, surface, CachePolicy())).cache_status

    assert status("desk") == status("other") == "levy; fwd=uri-miss; stored"
    assert status("desk") == status("other") == "levy; hit"
    assert status("address:10.0.0.1") == "levy; fwd=uri-miss; stored"
    assert status("address:10.0.0.2") == "levy; hit"
