"""Jobs at the gateway, with a real Redis and no worker."""

import asyncio
import re
import signal
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import redis as client_of_redis
from fastapi.testclient import TestClient

from levy_gateway.app import create_app
from levy_gateway.clients import UpstreamUnavailableError
from levy_gateway.job_store import JobStore, connect
from levy_gateway.keys import digest_of
from levy_gateway.settings import GatewaySettings
from levy_gateway.task_queue import TaskQueue
from levy_schemas.jobs import (
    ENDED_KEY,
    ENGINES_KEY,
    RUNNING_KEY,
    WORKERS_KEY,
    BayesianRequest,
    BayesianResult,
    Diagnostics,
    QueueName,
    draws_key,
    job_key,
    queued_key,
    result_bytes,
)
from levy_schemas.surface import EXAMPLE_GRID
from tests.processes import Redis

REQUEST: dict[str, Any] = EXAMPLE_GRID | {"model_type": "VarianceGamma", "engine": "laplace-psis"}
FOUND = BayesianResult(
    model_type="VarianceGamma",
    engine="laplace-psis",
    parameters={},
    correlations={},
    predictive=(),
    divergences=0,
    converged=True,
    reason="by decree",
    draws=1,
    seconds=0.1,
)
PATH = "/calibrate/bayesian"
PATIENT = {"redis_seconds": 2.0, "job_redis_seconds": 10.0}

SHORT, LONG = queued_key("bayesian.short"), queued_key("bayesian.long")

Gateway = Callable[..., TestClient]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    started = Redis(tmp_path_factory.mktemp("redis"))
    yield started.wait_until_ready()
    started.kill()


@pytest.fixture
def redis(server: Redis) -> Iterator[client_of_redis.Redis]:
    with client_of_redis.Redis.from_url(server.url, decode_responses=True) as connected:
        connected.flushall()
        yield connected


@pytest.fixture
def gateway(server: Redis, redis: Any, pricing: Any, calibration: Any) -> Iterator[Gateway]:
    opened: list[TestClient] = []

    def start(**settings: Any) -> TestClient:
        chosen = GatewaySettings(redis_url=server.url, **PATIENT | settings)
        made = TestClient(create_app(chosen, pricing=pricing, calibration=calibration))
        opened.append(made.__enter__())
        return opened[-1]

    yield start
    for each in opened:
        each.__exit__(None, None, None)


@pytest.fixture
def jobs(gateway: Gateway) -> TestClient:
    return gateway()


def submit(jobs: TestClient, change: dict[str, Any] | None = None, **headers: str) -> Any:
    return jobs.post(PATH, json=REQUEST | (change or {}), headers=headers)


def test_a_job_is_accepted_and_waits(jobs: TestClient, redis: Any) -> None:
    answer = submit(jobs, **{"X-Request-ID": "desk-7"})
    assert answer.status_code == 202
    job_id = answer.json()["job_id"]
    assert answer.json()["status_url"] == answer.headers["Location"] == f"{PATH}/{job_id}"
    assert int(answer.headers["Retry-After"]) >= 1
    stands = jobs.get(answer.headers["Location"])
    status = stands.json()
    created = datetime.fromisoformat(status.pop("created_at"))
    assert created.timestamp() == pytest.approx(redis.time()[0], abs=60.0)
    assert status == {
        "job_id": job_id,
        "status": "queued",
        "progress": 0.0,
        "stage": "queued",
        "stage_progress": None,
        "started_at": None,
        "queue_position": 1,
        "remaining_seconds": None,
        "diagnostics": None,
        "result": None,
        "problem": None,
    }
    assert int(stands.headers["Retry-After"]) >= 1
    record = redis.hgetall(job_key(job_id))
    assert record["request_id"] == "desk-7"
    assert BayesianRequest.model_validate_json(record["request"]).num_samples == 5000
    assert redis.zrange(SHORT, 0, -1) == [job_id]


def test_a_status_has_the_place_in_the_queue_and_the_stage(jobs: TestClient, redis: Any) -> None:
    first, second = (submit(jobs).headers["Location"] for _ in range(2))
    assert [jobs.get(url).json()["queue_position"] for url in (first, second)] == [1, 2]
    job_id = first.rpartition("/")[2]
    now = redis.time()[0]
    started = {"status": "running", "started": now, "stage": "compiling", "stage_progress": ""}
    redis.hset(job_key(job_id), mapping=started | {"estimated_end": ""})
    redis.zrem(SHORT, job_id)
    assert jobs.get(second).json()["queue_position"] == 1
    status = jobs.get(first).json()
    assert datetime.fromisoformat(status["started_at"]).timestamp() == now
    names = ("stage", "stage_progress", "queue_position", "remaining_seconds")
    assert [status[name] for name in names] == ["compiling", None, None, None]
    sampling = {"stage": "sampling", "stage_progress": "0.2500", "estimated_end": now + 3600.0}
    redis.hset(job_key(job_id), mapping=sampling)
    status = jobs.get(first).json()
    assert (status["stage"], status["stage_progress"]) == ("sampling", 0.25)
    assert status["remaining_seconds"] == pytest.approx(3600.0, abs=60.0)
    redis.hset(job_key(job_id), "status", "succeeded")
    ended = jobs.get(first).json()
    assert [ended[name] for name in names] == [None] * 4
    assert ended["started_at"] == status["started_at"]


def test_only_engines_that_a_running_worker_has_are_listed_and_accepted(
    jobs: TestClient, redis: Any
) -> None:
    now = redis.time()[0]
    redis.zadd(ENGINES_KEY, {"laplace-psis": now, "numpyro-nuts": now, "pymc-advi": now - 3600})
    assert jobs.get("/models").json()["engines"] == ["numpyro-nuts", "laplace-psis"]
    rejected = submit(jobs, {"engine": "pymc-advi"})
    assert (rejected.status_code, rejected.json()["code"]) == (422, "unsupported")
    assert rejected.json()["errors"][0]["pointer"] == "/engine"
    assert "levy-calibration-engine[bayesian,pymc]" in rejected.json()["detail"]
    assert submit(jobs).status_code == 202
    assert redis.zcard(SHORT) == 1


def test_without_a_running_worker_every_engine_is_accepted(jobs: TestClient) -> None:
    assert jobs.get("/models").json()["engines"] == []
    assert submit(jobs, {"engine": "pymc-advi"}).status_code == 202


def test_long_work_waits_in_a_queue_of_its_own(jobs: TestClient, redis: Any) -> None:
    submit(jobs, {"engine": "numpyro-nuts"})
    assert (redis.zcard(SHORT), redis.zcard(LONG)) == (0, 1)


@pytest.mark.parametrize(
    ("change", "status", "code", "pointer"),
    [
        ({"model_type": "Nonsense"}, 404, "unknown-model", "/model_type"),
        ({"engine": "magic"}, 422, "invalid-input", "/engine"),
        ({"num_samples": 10**9}, 422, "invalid-input", "/num_samples"),
        ({"num_chains": 16, "num_samples": 20_000}, 422, "invalid-input", ""),
    ],
)
def test_an_invalid_job_is_rejected_before_it_is_queued(
    jobs: TestClient, redis: Any, change: dict[str, Any], status: int, code: str, pointer: str
) -> None:
    answer = submit(jobs, change)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert pointer in [place["pointer"] for place in answer.json()["errors"]]
    assert redis.keys("levy:job*") == []


@pytest.mark.parametrize(
    ("prior", "pointer"),
    [
        ({"distribution": "cauchy"}, "/distribution"),
        ({"distribution": "normal", "mu": 0.2}, "/sigma"),
        ({"distribution": "gamma", "shape": -2.0, "rate": 1.0}, "/shape"),
        ({"distribution": "half_normal", "sigma": 1.0, "mu": 0.0}, "/mu"),
        ({"distribution": "uniform", "low": 1.0, "high": 0.5}, "/high"),
    ],
)
def test_an_invalid_prior_is_rejected_with_its_pointer(
    jobs: TestClient, redis: Any, prior: dict[str, Any], pointer: str
) -> None:
    answer = submit(jobs, {"priors": {"sigma": prior}})
    assert answer.status_code == 422
    assert [place["pointer"] for place in answer.json()["errors"]] == [f"/priors/sigma{pointer}"]
    assert redis.keys("levy:job*") == []


def test_a_prior_of_an_unknown_parameter_is_rejected(jobs: TestClient) -> None:
    answer = submit(jobs, {"priors": {"kappa": {"distribution": "half_normal", "sigma": 1.0}}})
    assert answer.status_code == 422
    assert [place["pointer"] for place in answer.json()["errors"]] == ["/priors/kappa"]


CALL: dict[str, Any] = {"strike": 97.5, "maturity": 0.3}
FORWARDS: list[dict[str, Any]] = [
    {"maturity": years, "forward": 101.0, "discount": 0.99} for years in (0.25, 0.5, 1.0)
]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"predict": [CALL, CALL | {"strike": -1.0}]}, "/predict/1/strike"),
        ({"predict": [CALL | {"maturity": 0.0}]}, "/predict/0/maturity"),
        ({"predict": [CALL | {"option_type": "straddle"}]}, "/predict/0/option_type"),
        ({"predict": [CALL | {"price": 3.0}]}, "/predict/0/price"),
        ({"predict": [CALL] * 1001}, "/predict"),
        (
            {"predict": [CALL | {"maturity": 0.5}, CALL], "forwards": FORWARDS}
            | {"risk_free_rate": None, "dividend_yield": None},
            "/predict/1/maturity",
        ),
    ],
    ids=["negative", "over", "no option", "quoted", "too many", "no forward"],
)
def test_options_that_cannot_be_predicted_are_rejected_with_pointers(
    jobs: TestClient, redis: Any, change: dict[str, Any], pointer: str
) -> None:
    answer = submit(jobs, change)
    assert answer.status_code == 422
    assert pointer in [place["pointer"] for place in answer.json()["errors"]]
    assert redis.keys("levy:job*") == []


def test_options_to_predict_go_with_the_job(jobs: TestClient, redis: Any) -> None:
    job_id = submit(jobs, {"predict": [CALL]}).json()["job_id"]
    request = BayesianRequest.model_validate_json(redis.hget(job_key(job_id), "request"))
    (option,) = request.predict
    assert option.model_dump() == CALL | {"option_type": "call"}


def test_the_same_key_is_the_same_job(jobs: TestClient, redis: Any) -> None:
    first = submit(jobs, **{"Idempotency-Key": "monday"})
    again = submit(jobs, **{"Idempotency-Key": "monday"})
    other = submit(jobs, **{"Idempotency-Key": "tuesday"})
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert other.json() != first.json()
    assert redis.zcard(SHORT) == 2


def test_the_same_key_with_another_request_is_rejected(jobs: TestClient, redis: Any) -> None:
    submit(jobs, **{"Idempotency-Key": "monday"})
    # Spelling a default out changes nothing; another seed does.
    assert submit(jobs, {"seed": 0}, **{"Idempotency-Key": "monday"}).status_code == 202
    answer = submit(jobs, {"seed": 1}, **{"Idempotency-Key": "monday"})
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency-conflict")
    assert redis.zcard(SHORT) == 1


def test_a_full_queue_rejects_jobs_with_retry_after(gateway: Gateway, redis: Any) -> None:
    jobs = gateway(queue_limit=2)
    known = submit(jobs, **{"Idempotency-Key": "monday"}).json()
    waiting = submit(jobs).headers["Location"]
    answer = submit(jobs)
    assert (answer.status_code, answer.json()["code"]) == (503, "queue-full")
    assert int(answer.headers["Retry-After"]) >= 1
    # A job that is there already is found all the same, and the other queue has room.
    assert submit(jobs, **{"Idempotency-Key": "monday"}).json() == known
    assert submit(jobs, {"engine": "numpyro-nuts"}).status_code == 202
    # A cancelled job makes room in the queue.
    assert jobs.delete(waiting).json()["status"] == "cancelled"
    assert submit(jobs).status_code == 202


def test_no_key_fills_the_queue_of_the_others(gateway: Gateway) -> None:
    keys = {name: digest_of(f"levy_{name}") for name in ("greedy", "polite")}
    jobs = gateway(queue_limit=4, queue_limit_per_key=2, api_keys=keys)
    greedy = [submit(jobs, **{"X-API-Key": "levy_greedy"}) for _ in range(3)]
    assert [answer.status_code for answer in greedy] == [202, 202, 503]
    assert greedy[2].json()["code"] == "queue-full"
    assert "share" in greedy[2].json()["detail"]
    assert submit(jobs, **{"X-API-Key": "levy_polite"}).status_code == 202
    # The other queue, and a place that became free, can be used.
    other = submit(jobs, {"engine": "numpyro-nuts"}, **{"X-API-Key": "levy_greedy"})
    assert other.status_code == 202
    jobs.delete(greedy[0].headers["Location"], headers={"X-API-Key": "levy_greedy"})
    assert submit(jobs, **{"X-API-Key": "levy_greedy"}).status_code == 202


def test_a_job_that_waits_is_cancelled_at_once(jobs: TestClient, redis: Any) -> None:
    where = submit(jobs).headers["Location"]
    answer = jobs.delete(where)
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert "Retry-After" not in answer.headers
    assert redis.zcard(SHORT) == 0
    assert jobs.delete(where).json() == answer.json() == jobs.get(where).json()


def test_cancelling_a_running_job_sets_a_request(jobs: TestClient, redis: Any) -> None:
    job_id = submit(jobs).json()["job_id"]
    seen = Diagnostics(draws=400, r_hat=1.02, divergences=1)
    stands = {"status": "running", "progress": "0.25", "diagnostics": seen.model_dump_json()}
    redis.hset(job_key(job_id), mapping=stands)
    answer = jobs.delete(f"{PATH}/{job_id}").json()
    assert (answer["status"], answer["progress"]) == ("running", 0.25)
    assert answer["diagnostics"] == seen.model_dump()
    assert redis.hget(job_key(job_id), "cancel") == "1"


Sent = list[tuple[str, QueueName]]


@pytest.fixture
def resend(server: Redis) -> Callable[..., Sent]:
    """Run the periodic step as a gateway does; return what it sent."""

    def run(accepted: bool = True, keep_seconds: float = 600.0) -> Sent:
        sent: Sent = []

        async def send(job_id: str, queue: QueueName) -> bool:
            sent.append((job_id, queue))
            return accepted

        async def step() -> None:
            store = JobStore(
                connect(server.url, 10.0),
                timeout_seconds=10.0,
                keep_seconds=keep_seconds,
                queue_limit=100,
                queue_limit_per_key=100,
                resend_seconds=30.0,
            )
            await store.resend(send)
            await store.delete_expired()
            await store.close()

        asyncio.run(step())
        return sent

    return run


def test_a_queued_job_is_sent_again_when_it_has_waited_and_then_as_long_again(
    jobs: TestClient, redis: Any, resend: Callable[..., Sent]
) -> None:
    job_id = submit(jobs).json()["job_id"]
    assert resend() == []
    waited = redis.time()[0] - 100.0
    redis.zadd(SHORT, {job_id: waited})
    redis.hset(job_key(job_id), "send_after", waited + 30.0)
    assert resend() == [(job_id, "bayesian.short")]
    again_in = float(redis.hget(job_key(job_id), "send_after")) - redis.time()[0]
    assert again_in == pytest.approx(100.0, abs=10.0)
    assert resend() == []


def test_a_job_that_the_broker_rejected_is_due_in_the_next_step(
    jobs: TestClient, redis: Any, resend: Callable[..., Sent]
) -> None:
    job_ids = [submit(jobs).json()["job_id"] for _ in range(2)]
    for job_id in job_ids:
        redis.hset(job_key(job_id), "send_after", 0)
    assert resend(accepted=False) == [(job_ids[0], "bayesian.short")]
    assert resend() == [(job_id, "bayesian.short") for job_id in job_ids]


def test_a_running_job_is_sent_again_when_its_lease_has_expired_and_not_before(
    jobs: TestClient, redis: Any, resend: Callable[..., Sent]
) -> None:
    job_id = submit(jobs, {"engine": "numpyro-nuts"}).json()["job_id"]
    redis.zrem(LONG, job_id)
    redis.hset(job_key(job_id), mapping={"status": "running", "worker": "w", "send_after": 0})
    redis.zadd(RUNNING_KEY, {job_id: redis.time()[0] + 60.0})
    assert resend() == []
    redis.zadd(RUNNING_KEY, {job_id: redis.time()[0] - 1.0})
    assert resend() == [(job_id, "bayesian.long")]
    assert resend() == []


def test_a_job_is_deleted_with_all_that_belongs_to_it_when_its_time_is_over(
    jobs: TestClient, redis: Any, resend: Callable[..., Sent]
) -> None:
    ended = submit(jobs, **{"Idempotency-Key": "monday"}).json()["job_id"]
    jobs.delete(f"{PATH}/{ended}")
    redis.set(draws_key(ended), "netcdf")
    resend()
    assert jobs.get(f"{PATH}/{ended}").json()["status"] == "cancelled"
    assert redis.zscore(ENDED_KEY, ended) - redis.time()[0] == pytest.approx(24 * 3600, abs=60)
    redis.zadd(ENDED_KEY, {ended: redis.time()[0] - 1})
    queued = submit(jobs).json()["job_id"]
    redis.zadd(SHORT, {queued: redis.time()[0] - 601})
    assert resend(keep_seconds=600.0) == []
    assert redis.keys("levy:job*") == []


def test_memory_is_reserved_for_the_results_of_unfinished_jobs(
    jobs: TestClient, redis: Any
) -> None:
    used = redis.info("memory")["used_memory"]
    large = {"num_chains": 4, "num_samples": 20_000}
    needed = result_bytes(BayesianRequest.model_validate(REQUEST | large))
    # Memory for two and a half results.
    redis.config_set("maxmemory", round((used + 2.5 * needed) / 0.9))
    try:
        answers = [submit(jobs, large) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202, 202, 503]
        assert answers[-1].json()["detail"] == "The memory of the job store is full. Retry later."
        jobs.delete(answers[0].headers["Location"])
        assert submit(jobs, large).status_code == 202
    finally:
        redis.config_set("maxmemory", 0)


def test_redis_may_evict_nothing_of_a_job(jobs: TestClient, redis: Any) -> None:
    submit(jobs, **{"Idempotency-Key": "monday"})
    # Under `volatile-lru`, keys without an expiry are never evicted.
    assert {redis.ttl(key) for key in redis.keys("levy:job*")} == {-1}


def test_one_gateway_at_a_time_takes_the_periodic_step(server: Redis, redis: Any) -> None:
    async def turns() -> list[bool]:
        options = {
            "timeout_seconds": 10.0,
            "keep_seconds": 60,
            "queue_limit": 1,
            "queue_limit_per_key": 1,
        }
        stores = [
            JobStore(connect(server.url, 10.0), resend_seconds=1.0, **options) for _ in range(3)
        ]
        taken = [await store.take_turn(60.0) for store in stores]
        for store in stores:
            await store.close()
        return taken

    assert asyncio.run(turns()) == [True, False, False]


@pytest.mark.parametrize("broker", ["nobody", "refuses"])
def test_a_broker_that_is_unavailable_or_rejects_is_not_waited_for(
    server: Redis, redis: Any, tmp_path: Path, broker: str
) -> None:
    async def send() -> bool:
        tasks = TaskQueue(
            f"unix://{tmp_path}/nobody.sock" if broker == "nobody" else server.url, 5.0
        )
        accepted = await tasks.send("a" * 32, "bayesian.short")
        await tasks.close()
        return accepted

    redis.config_set("min-replicas-to-write", 1 if broker == "refuses" else 0)
    began = time.monotonic()
    try:
        assert not asyncio.run(send())
    finally:
        redis.config_set("min-replicas-to-write", 0)
    assert time.monotonic() - began < 5.0


def test_a_job_whose_task_could_not_be_sent_is_accepted_and_queued(
    gateway: Gateway, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: TaskQueue, job_id: str, queue: QueueName) -> bool:
        return False

    monkeypatch.setattr(TaskQueue, "send", refuse)
    answer = submit(gateway())
    assert answer.status_code == 202
    assert redis.zrange(SHORT, 0, -1) == [answer.json()["job_id"]]


REJECTIONS = [
    ({"min-replicas-to-write": "1"}, "upstream-unavailable"),
    ({"maxmemory": "1", "maxmemory-policy": "noeviction"}, "queue-full"),
]


@pytest.mark.parametrize(("refusal", "code"), REJECTIONS, ids=["no replica", "full"])
def test_while_redis_rejects_writes_jobs_are_rejected_and_can_be_read(
    jobs: TestClient, redis: Any, refusal: dict[str, str], code: str
) -> None:
    where = submit(jobs).headers["Location"]
    former = {name: redis.config_get(name)[name] for name in refusal}
    for name, value in refusal.items():
        redis.config_set(name, value)
    try:
        refused, not_cancelled = submit(jobs), jobs.delete(where)
        assert (refused.status_code, refused.json()["code"]) == (503, code)
        assert int(refused.headers["Retry-After"]) >= 1
        assert not_cancelled.json()["detail"] == "The job store rejects writes. Retry later."
        assert not_cancelled.json()["code"] == "upstream-unavailable"
        redis_health = jobs.get("/health").json()
        assert redis_health["services"]["redis"] == {"status": "not_ready"}
        assert redis_health["status"] == "degraded"
        assert jobs.get(where).json()["status"] == "queued"
    finally:
        for name, value in former.items():
            redis.config_set(name, value)
    assert redis.zcard(SHORT) == 1
    assert submit(jobs).status_code == 202


def test_result_and_draws_of_a_job_are_returned(jobs: TestClient, redis: Any) -> None:
    job_id = submit(jobs).json()["job_id"]
    early = jobs.get(f"{PATH}/{job_id}/inference-data")
    assert (early.status_code, early.json()["code"]) == (409, "no-draws")
    assert early.json()["job_status"] == "queued"
    redis.set(draws_key(job_id), "netcdf")
    found = {"status": "succeeded", "progress": "1", "result": FOUND.model_dump_json()}
    redis.hset(job_key(job_id), mapping=found)
    stands = jobs.get(f"{PATH}/{job_id}")
    assert stands.json()["result"]["reason"] == "by decree"
    assert "Retry-After" not in stands.headers
    draws = jobs.get(f"{PATH}/{job_id}/inference-data")
    assert draws.content == b"netcdf"
    assert draws.headers["content-type"] == "application/x-netcdf"
    assert job_id in draws.headers["content-disposition"]


@pytest.mark.parametrize("job_id", ["0" * 32, "x", "a:draws", "%2e%2e", "0" * 31 + "G"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_every_other_job_id_is_not_found(jobs: TestClient, job_id: str, method: str) -> None:
    answer = jobs.request(method, f"{PATH}/{job_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-job")


def test_a_job_belongs_to_the_key_that_made_it(gateway: Gateway) -> None:
    keys = {"desk": digest_of("levy_a"), "risk": digest_of("levy_b")}
    jobs = gateway(api_keys=keys)
    theirs = submit(jobs, **{"X-API-Key": "levy_a", "Idempotency-Key": "k"})
    ours = submit(jobs, {"seed": 3}, **{"X-API-Key": "levy_b", "Idempotency-Key": "k"})
    assert theirs.status_code == ours.status_code == 202
    where = theirs.headers["Location"]
    for method, path in [("GET", where), ("DELETE", where), ("GET", f"{where}/inference-data")]:
        answer = jobs.request(method, path, headers={"X-API-Key": "levy_b"})
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-job")
    assert jobs.get(where, headers={"X-API-Key": "levy_a"}).json()["status"] == "queued"
    assert jobs.get(where).status_code == 401


def test_without_redis_no_jobs_are_taken(pricing: Any, calibration: Any) -> None:
    with TestClient(
        create_app(GatewaySettings(), pricing=pricing, calibration=calibration)
    ) as jobs:
        answer = submit(jobs)
        assert (answer.status_code, answer.json()["code"]) == (422, "unsupported")
        assert "bayesian" not in jobs.get("/health").json()["services"]


def test_while_redis_is_unavailable_jobs_are_rejected_with_a_problem(
    tmp_path: Path, pricing: Any, calibration: Any
) -> None:
    settings = GatewaySettings(redis_url=f"unix://{tmp_path}/nobody.sock")
    with TestClient(create_app(settings, pricing=pricing, calibration=calibration)) as jobs:
        for answer in (submit(jobs), jobs.get(f"{PATH}/{'0' * 32}")):
            assert (answer.status_code, answer.json()["code"]) == (503, "upstream-unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
        health = jobs.get("/health").json()
        assert health["services"]["bayesian"] == {"status": "unreachable", "workers": 0}


def test_redis_that_hangs_is_not_waited_for(server: Redis, gateway: Gateway) -> None:
    jobs = gateway(job_redis_seconds=0.2)
    submit(jobs)
    server.send(signal.SIGSTOP)
    try:
        answer = submit(jobs)
    finally:
        server.send(signal.SIGCONT)
    assert (answer.status_code, answer.json()["code"]) == (503, "upstream-unavailable")


def test_without_the_catalogue_submissions_are_503(
    jobs: TestClient, pricing: Any, redis: Any
) -> None:
    pricing.error = UpstreamUnavailableError("pricing", 1)
    assert submit(jobs).status_code == 503
    pricing.error = None
    assert submit(jobs).status_code == 202
    pricing.error = UpstreamUnavailableError("pricing", 1)
    # The catalogue is cached for a moment.
    assert submit(jobs).status_code == 202


def test_health_counts_workers(jobs: TestClient, redis: Any) -> None:
    assert jobs.get("/health").json()["status"] == "degraded"
    now = redis.time()[0]
    redis.zadd(WORKERS_KEY, {"heard": now, "also": now, "gone": now - 3600})
    health = jobs.get("/health").json()
    assert health["status"] == "healthy"
    assert health["services"]["bayesian"] == {"status": "ready", "workers": 2}


def test_rate_limits_and_cached_results_have_a_redis_of_their_own(
    gateway: Gateway, redis: Any, tmp_path: Path
) -> None:
    cache = Redis(tmp_path).wait_until_ready()
    try:
        jobs = gateway(cache_redis_url=cache.url, rate_limit="2/minute")
        redis.config_set("min-replicas-to-write", 1)
        assert [jobs.get("/models").status_code for _ in range(3)] == [200, 200, 429]
        assert redis.keys("*LIMITS*") == []
        assert jobs.get("/health").json()["services"]["redis-cache"] == {"status": "ready"}
    finally:
        redis.config_set("min-replicas-to-write", 0)
        cache.kill()
    assert jobs.get("/models").status_code == 200
    health = jobs.get("/health").json()
    assert health["services"]["redis-cache"] == {"status": "unreachable"}
    assert health["services"]["redis"] == {"status": "ready"}
    assert submit(jobs).status_code == 202


def test_queues_and_workers_are_shown(gateway: Gateway, redis: Any) -> None:
    submit(gateway())
    redis.zadd(WORKERS_KEY, {"heard": redis.time()[0]})
    # A gateway looks when it starts, and then every few seconds.
    jobs, deadline = gateway(), time.monotonic() + 30.0
    while "levy_gateway_bayesian_workers 1.0" not in (metrics := jobs.get("/metrics").text):
        assert time.monotonic() < deadline, metrics
        time.sleep(0.05)
    assert 'levy_gateway_jobs_queued{queue="bayesian.short"} 1.0' in metrics
    assert 'levy_gateway_jobs_queued{queue="bayesian.long"} 0.0' in metrics
    assert 'levy_gateway_oldest_job_age_seconds{queue="bayesian.long"} 0.0' in metrics


def test_the_age_of_the_oldest_queued_job_is_shown_in_seconds(gateway: Gateway, redis: Any) -> None:
    now = redis.time()[0]
    redis.zadd(SHORT, {"older": now - 500.0, "younger": now - 100.0})
    jobs, deadline = gateway(), time.monotonic() + 30.0
    pattern = r'^levy_gateway_oldest_job_age_seconds{queue="bayesian.short"} (\S+)$'
    while (age := re.search(pattern, jobs.get("/metrics").text, re.MULTILINE)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert float(age[1]) == pytest.approx(500.0, abs=40.0)
