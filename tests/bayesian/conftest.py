"""A real Redis, empty for each test."""

from collections.abc import Iterator

import pytest
import redis as client

from tests.processes import Redis


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = Redis(tmp_path_factory.mktemp("redis"))
    yield server.wait_until_ready()
    server.kill()


@pytest.fixture
def redis(redis_server: Redis) -> Iterator[client.Redis]:
    with client.Redis.from_url(redis_server.url, decode_responses=True) as connected:
        connected.flushall()
        yield connected
