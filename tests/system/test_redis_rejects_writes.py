"""Redis rejects writes or does not respond: jobs wait, and every process keeps running."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import httpx
import pytest
from redis import Redis as RedisClient

from tests.processes import Service, Stack
from tests.system.job_engine import Engine, Start

pytestmark = pytest.mark.system

OUTAGE_SECONDS = 3.0


@contextmanager
def read_only(engine: Engine, redis: RedisClient) -> Iterator[None]:
    """READONLY, as after a failover."""
    redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    yield
    redis.execute_command("REPLICAOF", "NO", "ONE")


@contextmanager
def without_replicas(engine: Engine, redis: RedisClient) -> Iterator[None]:
    """NOREPLICAS: too few replicas are connected."""
    redis.config_set("min-replicas-to-write", 1)
    yield
    redis.config_set("min-replicas-to-write", 0)


@contextmanager
def disk_full(engine: Engine, redis: RedisClient) -> Iterator[None]:
    """MISCONF: the last snapshot could not be written."""
    (engine.folder / "directory").mkdir()
    redis.config_set("dbfilename", "directory")
    redis.bgsave()
    while redis.info("persistence")["rdb_last_bgsave_status"] != "err":
        time.sleep(0.02)
    redis.config_set("save", "3600 1")
    yield
    redis.config_set("save", "")


@contextmanager
def memory_full(engine: Engine, redis: RedisClient) -> Iterator[None]:
    """OOM: `maxmemory` is reached, and nothing is evicted."""
    redis.config_set("maxmemory", 1)
    yield
    redis.config_set("maxmemory", 0)


@contextmanager
def stopped(engine: Engine, redis: RedisClient) -> Iterator[None]:
    """Redis accepts connections and does not respond."""
    engine.redis_server.send(signal.SIGSTOP)
    yield
    engine.redis_server.send(signal.SIGCONT)


@contextmanager
def another_password(engine: Engine, redis: RedisClient) -> Iterator[None]:
    """NOAUTH: the password was changed, and every connection was closed."""
    redis.config_set("requirepass", "another")
    redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    yield
    redis.config_set("requirepass", "")


Outage = Callable[[Engine, RedisClient], AbstractContextManager[None]]
OUTAGES: list[Outage] = [
    *(read_only, without_replicas, disk_full, memory_full),
    *(stopped, another_password),
]


@pytest.fixture(scope="module")
def engine(pricing: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Serve all outages one after another, with the same processes."""
    with Stack() as stack:
        made = Engine(stack, pricing, tmp_path_factory.mktemp("engine"), JOB_REDIS_SECONDS="2")
        # When an outage begins, one worker runs a job, one starts one, one waits for a message.
        for worker in [made.cold_worker() for _ in range(3)]:
            worker.wait_until_ready()
        yield made


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.__name__)
def test_jobs_wait_and_go_on_and_no_process_ends(engine: Engine, outage: Outage) -> None:
    engine.redis.delete("order")
    running = engine.submit(4.0, seed=1)
    engine.wait_for(running, "running")
    queued = engine.submit(0.1, seed=2)
    submitted, priced = set(), set()
    with (
        RedisClient.from_url(engine.redis_server.url, single_connection_client=True) as redis,
        outage(engine, redis),
    ):
        end = time.monotonic() + OUTAGE_SECONDS
        while time.monotonic() < end:
            answer = engine.post(0.1)
            submitted.add((answer.status_code, answer.json()["code"]))
            models = httpx.get(f"{engine.gateway.url}/models", timeout=30.0, trust_env=False)
            priced.add(models.status_code)
    code = "queue-full" if outage is memory_full else "upstream-unavailable"
    assert submitted == {(503, code)}
    assert priced == {200}
    last = engine.submit(0.1, seed=3)
    engine.require_each_succeeds_once([running, queued, last])
    # Rejected submissions left no records.
    assert set(engine.redis.lrange("order", 0, -1)) == {"1", "2", "3"}
    services = (*engine.workers, engine.gateway, engine.pricing)
    assert [service.exit_status for service in services] == [None] * 5


def test_every_job_that_is_acknowledged_before_the_memory_is_full_succeeds(start: Start) -> None:
    engine = start(QUEUE_LIMIT="1000")
    engine.redis.config_set("maxmemory", "40mb")
    engine.redis.config_set("maxmemory-policy", "noeviction")
    answers = [engine.post(0.05, seed=seed) for seed in range(60)]
    acknowledged = [each.json()["job_id"] for each in answers if each.status_code == 202]
    refused = {(each.status_code, each.json()["code"]) for each in answers if each.is_error}
    assert refused == {(503, "queue-full")}
    assert len(acknowledged) > 10
    workers = [engine.worker(), engine.worker()]
    engine.require_each_succeeds_once(acknowledged)
    memory = engine.redis.info("memory")
    assert memory["used_memory"] < 0.9 * memory["maxmemory"]
    # Results fill the memory: more jobs are acknowledged, and all of them succeed.
    while (answer := engine.post(0.05)).status_code == 202:
        acknowledged.append(answer.json()["job_id"])
    engine.require_each_succeeds_once(acknowledged)
    print(f"\n{len(acknowledged)} acknowledged, all succeeded")  # noqa: T201 - a figure of the run
    assert engine.redis.info("stats")["evicted_keys"] == 0
    engine.redis.config_set("maxmemory", "400mb")
    engine.wait_for(engine.submit(0.05), "succeeded")
    assert [worker.exit_status for worker in workers] == [None, None]


def test_a_worker_that_starts_while_redis_rejects_writes_waits_for_it(start: Start) -> None:
    engine = start()
    job_id = engine.submit(0.1)
    with (
        RedisClient.from_url(engine.redis_server.url) as redis,
        read_only(engine, redis),
    ):
        worker = engine.cold_worker()
        time.sleep(OUTAGE_SECONDS)
        assert worker.exit_status is None
    engine.wait_for(job_id, "succeeded")
