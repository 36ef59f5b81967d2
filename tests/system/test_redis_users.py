"""One Redis user per role: each can do its work and nothing else, with a real Redis."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis
from redis.exceptions import NoPermissionError

from levy_cli.serve.processes import redis_binary
from levy_schemas.surface import EXAMPLE_GRID
from tests.processes import Process, Stack, free_port
from tests.system.job_engine import PATH, SLOW, until

pytestmark = pytest.mark.system

EXAMPLE = Path(__file__).parents[2] / "deploy" / "redis" / "users.acl.example"
TESTED = " ~order ~sampling ~cold"
"""Keys of the worker whose sampler only waits."""
REFUSED = {
    "gateway": ["FLUSHALL", "CONFIG GET dir", "ACL LIST", "KEYS *", "GET other", "SHUTDOWN"],
    "worker": [
        *("FLUSHALL", "CONFIG GET dir", "ACL LIST", "GET levy:result:1", "GET LIMITS", "KEYS *"),
        *("SET levy:result:1 x", "GET levy:job-of:1", "EVAL return 0", "PUBLISH other x"),
    ],
    "exporter": ["GET levy:workers", "SET a b", "CONFIG SET dir /", "FLUSHALL", "KEYS *"],
    "autoscaler": ["GET levy:job:1", "ZADD levy:jobs:queued:bayesian.short 1 a", "INFO", "KEYS *"],
    "default": ["GET a", "INFO", "SET a b", "ACL WHOAMI", "KEYS *"],
}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Start Redis with the users of the example."""
    folder = tmp_path_factory.mktemp("redis")
    shutil.copy(EXAMPLE, folder / "users.acl")
    content = (folder / "users.acl").read_text().replace(" ~unacked*", " ~unacked*" + TESTED)
    (folder / "users.acl").write_text(content)
    number = free_port()
    options = ["--port", str(number), "--save", "", "--dir", str(folder)]
    options += ["--aclfile", str(folder / "users.acl")]
    server = Process([str(redis_binary()), *options], {}, folder / "log")
    with redis.Redis(port=number) as client:
        until(lambda: server.exit_status is not None or responds(client))
    yield number
    server.kill()


def responds(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def connect(port: int, user: str) -> redis.Redis:
    if user == "default":
        return redis.Redis(port=port)
    return redis.Redis(port=port, username=user, password=f"{user.upper()}_PASSWORD")


@pytest.mark.parametrize(
    ("user", "command"), [(user, command) for user in REFUSED for command in REFUSED[user]]
)
def test_each_user_is_refused_what_is_not_its_work(port: int, user: str, command: str) -> None:
    arguments = ["EVAL", "return 0", "0"] if command.startswith("EVAL") else command.split()
    with connect(port, user) as client, pytest.raises(NoPermissionError):
        client.execute_command(*arguments)


def test_a_password_is_required(port: int) -> None:
    with (
        redis.Redis(port=port, username="gateway", password="wrong") as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_the_exporter_and_the_autoscaler_can_read_what_they_need(port: int) -> None:
    with connect(port, "exporter") as client:
        assert client.info()
        assert client.config_get("maxmemory")
        client.slowlog_get()
        client.slowlog_len()
    with connect(port, "autoscaler") as client:
        key = "levy:jobs:queued:bayesian.short"
        assert client.zcard(key) == 0
        assert client.eval("return redis.call('type', KEYS[1]).ok", 1, key) == b"none"


def test_gateway_and_worker_do_their_work(port: int, tmp_path: Path) -> None:
    def url(user: str) -> str:
        return f"redis://{user}:{user.upper()}_PASSWORD@127.0.0.1:{port}/0"

    with Stack() as stack:
        services = {name: stack.service(name) for name in ("pricing", "calibration")}
        settings = {
            "PRICING_URL": services["pricing"].url,
            "CALIBRATION_URL": services["calibration"].url,
            "REDIS_URL": url("gateway"),
            "REDIS_SECONDS": "2",
            "RATE_LIMIT": "5000/minute",
        }
        gateway = stack.service("gateway", settings=settings, log=tmp_path / "gateway.log")
        worker = {"REDIS_URL": url("worker"), "DRAIN_SECONDS": "1"}
        log = tmp_path / "worker.log"
        stack.service("bayesian", command=SLOW, settings=worker, log=log)
        with httpx.Client(base_url=gateway.url, timeout=60.0, trust_env=False) as client:
            surface = EXAMPLE_GRID | {"model_type": "VarianceGamma"}
            status = [client.post("/calibrate", json=surface).headers["cache-status"]]
            status += [client.post("/calibrate", json=surface).headers["cache-status"]]
            assert status == ["levy; fwd=uri-miss; stored", "levy; hit"]
            chains = {"engine": "laplace-psis", "num_chains": 1, "num_samples": 500}
            submitted = client.post(PATH, json=surface | chains)
            assert submitted.status_code == 202, submitted.text
            address = f"{PATH}/{submitted.json()['job_id']}"
            until(lambda: client.get(address).json()["status"] not in ("queued", "running"))
            assert client.get(address).json()["status"] == "succeeded"
            assert client.get("/health").status_code == 200
            failures = [
                line
                for line in client.get("/metrics").text.splitlines()
                if line.startswith("levy_gateway_redis_failures_total")
            ]
            assert all(line.endswith(" 0.0") for line in failures)
        for file in tmp_path.glob("*.log"):
            assert "NOPERM" not in file.read_text(), file.name
