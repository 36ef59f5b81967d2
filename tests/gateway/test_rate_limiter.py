"""Rate limits."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from limits import parse
from pydantic import ValidationError
from starlette.middleware import Middleware

from levy_gateway.authentication import AuthMiddleware
from levy_gateway.keys import KeyRing, digest_of
from levy_gateway.metrics import GatewayMetrics
from levy_gateway.optional_redis import OptionalRedis
from levy_gateway.rate_limiter import RateLimitedError, RateLimiter
from levy_gateway.settings import GatewaySettings
from levy_service import service
from tests.processes import Redis

DIGESTS = {"desk": digest_of("levy_desk"), "risk": digest_of("levy_risk")}


class TwoEach:
    """Allows two requests of every caller."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()

    async def require(self, caller: str) -> None:
        self.requests[caller] += 1
        if self.requests[caller] > 2:
            raise RateLimitedError(7)


@pytest.fixture
def limiter() -> TwoEach:
    return TwoEach()


def limited(limiter: TwoEach, digests: dict[str, str]) -> TestClient:
    metrics = GatewayMetrics()
    limited = Middleware(
        AuthMiddleware,
        keys=KeyRing(digests),
        limiter=limiter,  # type: ignore[arg-type]  # the fake has the one method it needs
        queues={},
        metrics=metrics,
    )
    app = service.build(
        title="Test",
        summary="",
        metrics=metrics,
        checks=dict,
        max_body_bytes=1024,
        middleware=(limited,),
    )

    @app.get("/models")
    @app.get("/health")
    def answer() -> None:
        return None

    return TestClient(app)


def test_a_request_above_the_limit_gets_retry_after(limiter: TwoEach) -> None:
    client = limited(limiter, {})
    answers = [client.get("/models") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "7"
    assert answers[2].json()["code"] == "rate-limited"


def test_each_key_has_its_own_share(limiter: TwoEach) -> None:
    client = limited(limiter, DIGESTS)
    for key in ("levy_desk", "levy_risk", "levy_desk"):
        assert client.get("/models", headers={"X-API-Key": key}).status_code == 200
    assert limiter.requests == {"desk": 2, "risk": 1}


def test_an_unregistered_key_is_rejected_and_not_counted(limiter: TwoEach) -> None:
    client = limited(limiter, DIGESTS)
    assert client.get("/models", headers={"X-API-Key": "levy_guess"}).status_code == 401
    assert limiter.requests == {}


def test_health_is_not_limited(limiter: TwoEach) -> None:
    client = limited(limiter, {})
    assert {client.get("/health").status_code for _ in range(5)} == {200}


@pytest.mark.parametrize("text", ["600/minute", "5 per second", "1/hour"])
def test_a_limit_is_parsed(text: str) -> None:
    settings = GatewaySettings(rate_limit=text, redis_url="redis://localhost")
    assert settings.limit is not None


@pytest.mark.parametrize(
    "settings", [{"rate_limit": "often", "redis_url": "redis://x"}, {"rate_limit": "600/minute"}]
)
def test_a_limit_without_a_meaning_is_rejected(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GatewaySettings(**settings)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    started = Redis(tmp_path_factory.mktemp("redis"))
    yield started.wait_until_ready().url
    started.kill()


def waits(url: str, limit: str, requests: list[tuple[str, int]]) -> list[int]:
    """Return the seconds to wait of requests, each a caller and a cost, one after the other."""

    async def count() -> list[int]:
        metrics = GatewayMetrics()
        redis = OptionalRedis(url, 5.0, metrics)
        limiter = RateLimiter(parse(limit), redis, metrics)
        found = []
        for caller, cost in requests:
            try:
                await limiter.require(caller, cost)
                found.append(0)
            except RateLimitedError as error:
                found.append(error.retry_after_seconds or 0)
        await redis.close()
        counted = metrics.refused.labels("rate-limited")._value.get()
        assert counted == sum(seconds > 0 for seconds in found)
        return found

    return asyncio.run(count())


def test_the_third_request_within_two_an_hour_waits_for_the_rest_of_the_hour(
    redis_url: str,
) -> None:
    first, second, third = waits(redis_url, "2/hour", [("desk", 1)] * 3)
    assert first == second == 0
    assert 3590 <= third <= 3600


def test_callers_have_separate_limits(redis_url: str) -> None:
    assert waits(redis_url, "1/hour", [("research", 1), ("risk", 1)]) == [0, 0]


def test_a_batch_counts_as_its_surfaces(redis_url: str) -> None:
    allowed, too_large, small = waits(redis_url, "10/hour", [("b", 6), ("b", 6), ("b", 4)])
    assert (allowed, small) == (0, 0)
    assert too_large > 0


def test_a_request_that_costs_more_than_the_limit_is_possible_alone(redis_url: str) -> None:
    first, second = waits(redis_url, "10/hour", [("large", 64), ("large", 1)])
    assert first == 0
    assert second > 0


def test_callers_are_not_limited_while_redis_is_unavailable(tmp_path: Path) -> None:
    assert waits(f"unix://{tmp_path}/absent", "1/hour", [("desk", 1)] * 3) == [0, 0, 0]
