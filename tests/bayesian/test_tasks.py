"""Messages as a worker reads them, and what it leaves in a real Redis."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from celery.exceptions import TimeLimitExceeded
from redis import Redis

from levy_bayesian import tasks
from levy_bayesian.clients import JobLostError, RedisJob
from levy_bayesian.handlers.run import Found
from levy_bayesian.metrics import BayesianMetrics
from levy_bayesian.progress import Progress, Standing
from levy_bayesian.settings import BayesianSettings
from levy_bayesian.worker import create_worker
from levy_schemas.jobs import (
    TASK,
    BayesianRequest,
    BayesianResult,
    Diagnostics,
    JobStatus,
    ParameterSummary,
    draws_key,
    job_key,
    lease_key,
)
from levy_schemas.surface import EXAMPLE_GRID
from tests.bayesian.test_run import RESULT
from tests.processes import Redis as Server

PAYLOAD = EXAMPLE_GRID | {"model_type": "VarianceGamma", "engine": "laplace-psis"}
SUMMARY = ParameterSummary(
    mean=0.2, sd=0.01, interval=(0.18, 0.22), r_hat=1.004, ess_bulk=1500.0, ess_tail=900.0
)


SEEN = Diagnostics(draws=400, r_hat=1.02, divergences=1, acceptance_rate=0.87, step_size=0.6)


def sampled(_request: BayesianRequest, progress: Progress) -> Found:
    progress(Standing(0.5, SEEN))
    summaries = {"sigma": SUMMARY, "nu": SUMMARY.model_copy(update={"r_hat": 1.001})}
    return RESULT.model_copy(update={"parameters": summaries, "divergences": 3}), b"netcdf"


Deliver = Callable[..., Any]


@pytest.fixture
def metrics() -> BayesianMetrics:
    return BayesianMetrics()


@pytest.fixture
def deliver(redis: Redis, redis_server: Server, metrics: BayesianMetrics) -> Deliver:
    redis.hset(job_key("j"), mapping={"status": "queued", "message": "{}"})

    def run(payload: Any, job_id: str = "j", compute: Any = sampled, **headers: Any) -> Any:
        settings = BayesianSettings(redis_url=redis_server.url, keep_seconds=77, max_attempts=2)
        app = create_worker(settings, compute, metrics, name="w")
        return app.tasks[TASK].apply(args=(job_id, payload), headers=headers, throw=True)

    return run


@pytest.fixture
def job_of(redis: Redis, redis_server: Server) -> Callable[[str], RedisJob]:
    def made(worker: str) -> RedisJob:
        raw = Redis.from_url(redis_server.url)
        return RedisJob(raw, "j", worker=worker, lease_seconds=30, keep_seconds=77, max_attempts=3)

    redis.hset(job_key("j"), mapping={"status": "queued"})
    return made


def test_what_a_job_found_is_kept_for_a_while(redis: Redis, deliver: Deliver) -> None:
    deliver(PAYLOAD)
    kept = redis.hgetall(job_key("j"))
    assert (kept["status"], kept["progress"], kept["attempts"]) == ("succeeded", "1.0000", "1")
    assert BayesianResult.model_validate_json(kept["result"]).divergences == 3
    assert Diagnostics.model_validate_json(kept["diagnostics"]) == SEEN
    assert redis.get(draws_key("j")) == "netcdf"
    assert 0 < redis.ttl(job_key("j")) <= 77
    assert 0 < redis.ttl(draws_key("j")) <= 77
    assert not redis.exists(lease_key("j"))
    assert "message" not in kept


@pytest.mark.parametrize("payload", [{"model_type": 7}, {}, None, [1, 2], "…"])
def test_a_poisoned_payload_fails_with_a_problem(
    redis: Redis, deliver: Deliver, payload: Any
) -> None:
    deliver(payload)
    kept = redis.hgetall(job_key("j"))
    assert kept["status"] == "failed"
    assert json.loads(kept["problem"])["code"] == "invalid-input"


def test_a_job_cancelled_while_it_waited_never_runs(redis: Redis, deliver: Deliver) -> None:
    redis.hset(job_key("j"), "cancel", "1")
    deliver(PAYLOAD)
    assert redis.hget(job_key("j"), "status") == "cancelled"
    assert not redis.exists(draws_key("j"))


def test_a_job_that_expired_while_it_waited_leaves_nothing_behind(
    redis: Redis, deliver: Deliver
) -> None:
    deliver(PAYLOAD, "gone")
    assert redis.keys("levy:job:gone*") == []


def test_a_job_that_another_worker_runs_goes_back_into_the_queue(
    redis: Redis, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.time, "sleep", lambda _seconds: None)
    redis.hset(job_key("j"), mapping={"status": "running"})
    redis.set(lease_key("j"), "another")
    assert deliver(PAYLOAD).state == "REJECTED"
    assert redis.hget(job_key("j"), "status") == "running"


def test_a_job_that_ended_every_process_fails(redis: Redis, deliver: Deliver) -> None:
    redis.hset(job_key("j"), mapping={"status": "running", "attempts": "2"})
    deliver(PAYLOAD)
    kept = redis.hgetall(job_key("j"))
    assert kept["status"] == "failed"
    assert "died" in json.loads(kept["problem"])["detail"]


def test_a_process_ended_at_the_hard_limit_is_a_job_that_failed(
    redis: Redis, redis_server: Server, metrics: BayesianMetrics
) -> None:
    redis.hset(job_key("j"), mapping={"status": "running"})
    redis.set(lease_key("j"), "w")
    settings = BayesianSettings(redis_url=redis_server.url)
    task = create_worker(settings, sampled, metrics, name="w").tasks[TASK]
    task.on_failure(TimeLimitExceeded(1260), "j", ("j", PAYLOAD), {}, None)
    assert json.loads(redis.hget(job_key("j"), "problem") or "")["code"] == "deadline"


def test_what_was_told_of_draws_is_forgotten_when_a_job_begins_again(
    redis: Redis, job_of: Callable[[str], RedisJob]
) -> None:
    job = job_of("w")
    job.begin()
    job.advance(Standing(0.5, SEEN))
    # A share alone leaves standing what was told before.
    job.advance(Standing(0.6))
    assert redis.hget(job_key("j"), "diagnostics") == SEEN.model_dump_json()
    job.begin()
    assert redis.hmget(job_key("j"), "progress", "diagnostics") == ["0", None]


def test_whoever_lost_a_job_can_no_longer_write(
    redis: Redis, job_of: Callable[[str], RedisJob]
) -> None:
    first, second = job_of("first"), job_of("second")
    assert first.begin() == "begun"
    assert second.begin() == "held"
    redis.delete(lease_key("j"))  # as if it had run out
    assert second.begin() == "begun"
    with pytest.raises(JobLostError):
        first.advance(Standing(0.9))
    with pytest.raises(JobLostError):
        first.succeed(RESULT, b"stale")
    second.succeed(RESULT, b"fresh")
    assert redis.get(draws_key("j")) == "fresh"
    with pytest.raises(JobLostError):
        second.cancel()  # it has ended
    assert redis.hget(job_key("j"), "status") == "succeeded"


def test_a_lease_that_ran_out_unnoticed_is_taken_again(
    redis: Redis, job_of: Callable[[str], RedisJob]
) -> None:
    job = job_of("w")
    job.begin()
    redis.delete(lease_key("j"))
    job.advance(Standing(0.5))
    assert redis.get(lease_key("j")) == "w"


def test_lease_and_delivery_are_renewed_while_the_work_takes(
    redis: Redis, redis_server: Server
) -> None:
    redis.hset(job_key("j"), "status", "queued")
    redis.zadd("unacked_index", {"tag": 1.0})
    give_up = time.monotonic() + 60.0
    with Redis.from_url(redis_server.url) as raw:
        job = RedisJob(raw, "j", worker="w", lease_seconds=10, keep_seconds=77, max_attempts=3)
        job.begin()
        redis.expire(lease_key("j"), 600)
        with job.held("tag"):
            # A renewal sets what is left to the lease's own length, and the delivery to now.
            while redis.ttl(lease_key("j")) > 10 or redis.zscore("unacked_index", "tag") == 1.0:
                assert time.monotonic() < give_up, "nothing was renewed"
                time.sleep(0.05)
    assert redis.get(lease_key("j")) == "w"


def test_jobs_are_counted_by_how_they_ended_and_how_good_they_are(
    deliver: Deliver, metrics: BayesianMetrics
) -> None:
    deliver(PAYLOAD, created=time.time() - 100.0)
    told = metrics.exposition().decode()
    labels = 'engine="laplace-psis",model="VarianceGamma"'
    assert f'levy_bayesian_jobs_total{{{labels},status="succeeded"}} 1.0' in told
    assert f"levy_bayesian_divergences_total{{{labels}}} 3.0" in told
    assert f"levy_bayesian_r_hat_sum{{{labels}}} 1.004" in told
    assert f"levy_bayesian_ess_sum{{{labels}}} 1500.0" in told
    assert f"levy_bayesian_job_seconds_count{{{labels}}} 1.0" in told


def test_a_poisoned_payload_is_no_label(deliver: Deliver, metrics: BayesianMetrics) -> None:
    deliver({"model_type": "x" * 1000})
    told = metrics.exposition().decode()
    assert 'levy_bayesian_jobs_total{engine="unknown",model="unknown",status="failed"} 1.0' in told


def test_a_worker_acknowledges_late_and_takes_one_job_at_a_time() -> None:
    settings = BayesianSettings(lease_seconds=12)
    conf = create_worker(settings, sampled, BayesianMetrics()).conf
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert conf.worker_concurrency == 1
    assert conf.accept_content == ["json"]
    options = conf.broker_transport_options
    assert options["visibility_timeout"] == 12
    assert options["unacked_restore_interval"] * options["unacked_restore_throttle"] <= 12


def test_a_status_is_read_from_what_a_job_keeps() -> None:
    status = JobStatus(job_id="j", status="succeeded", progress=1.0, result=RESULT)
    assert JobStatus.model_validate_json(status.model_dump_json()) == status
