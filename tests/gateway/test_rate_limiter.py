"""Rate limits."""

from collections import Counter
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import ValidationError

from levy_gateway.authentication import AuthMiddleware
from levy_gateway.keys import KeyRing, digest_of
from levy_gateway.metrics import GatewayMetrics
from levy_gateway.settings import GatewaySettings

DIGESTS = {"desk": digest_of("levy_desk"), "risk": digest_of("levy_risk")}


class TwoEach:
    """Allows two requests of every caller."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()

    async def seconds_to_wait(self, caller: str) -> int:
        self.requests[caller] += 1
        return 0 if self.requests[caller] <= 2 else 7


@pytest.fixture
def limiter() -> TwoEach:
    return TwoEach()


def limited(limiter: TwoEach, digests: dict[str, str]) -> TestClient:
    app = FastAPI()

    @app.get("/models")
    @app.get("/health")
    def answer() -> None:
        return None

    app.add_middleware(
        AuthMiddleware,
        keys=KeyRing(digests),
        limiter=limiter,  # type: ignore[arg-type]  # the fake has the one method it needs
        metrics=GatewayMetrics(),
    )
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


def test_an_unknown_key_is_refused_and_not_counted(limiter: TwoEach) -> None:
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
def test_a_limit_that_means_nothing_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GatewaySettings(**settings)
