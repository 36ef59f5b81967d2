"""The worker's task and its writes to a real Redis."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery.exceptions import TimeLimitExceeded
from redis import Redis

from levy_bayesian import job_store, tasks
from levy_bayesian.handlers.run import SamplingOutput
from levy_bayesian.job_store import Job, JobLostError
from levy_bayesian.metrics import BayesianMetrics
from levy_bayesian.progress import Progress, ProgressCallback, RemainingTime
from levy_bayesian.settings import BayesianSettings
from levy_bayesian.worker import create_worker
from levy_schemas.jobs import (
    ENDED_KEY,
    RUNNING_KEY,
    TASK,
    BayesianRequest,
    BayesianResult,
    Diagnostics,
    JobStatus,
    ParameterSummary,
    draws_key,
    job_key,
    queued_key,
)
from levy_schemas.surface import EXAMPLE_GRID
from tests.bayesian.test_run import RESULT
from tests.processes import Redis as Server

REQUEST = EXAMPLE_GRID | {"model_type": "VarianceGamma", "engine": "laplace-psis"}
SHORT = queued_key("bayesian.short")
SUMMARY = ParameterSummary(
    mean=0.2, sd=0.01, interval=(0.18, 0.22), r_hat=1.004, ess_bulk=1500.0, ess_tail=900.0
)


SEEN = Diagnostics(draws=400, r_hat=1.02, divergences=1, acceptance_rate=0.87, step_size=0.6)


def sampled(_request: BayesianRequest, progress: ProgressCallback) -> SamplingOutput:
    progress(Progress(0.5, SEEN))
    summaries = {"sigma": SUMMARY, "nu": SUMMARY.model_copy(update={"r_hat": 1.001})}
    return RESULT.model_copy(update={"parameters": summaries, "divergences": 3}), b"netcdf"


Deliver = Callable[..., Any]


@pytest.fixture
def metrics() -> BayesianMetrics:
    return BayesianMetrics()


@pytest.fixture(autouse=True)
def queued(redis: Redis) -> None:
    """Write the record of the job `j` as a gateway does."""
    created = redis.time()[0] - 60.0
    record = {"status": "queued", "queue": "bayesian.short", "created": created}
    redis.hset(job_key("j"), mapping=record | {"request": json.dumps(REQUEST)})
    redis.zadd(SHORT, {"j": created})


@pytest.fixture
def deliver(redis: Redis, redis_server: Server, metrics: BayesianMetrics) -> Deliver:
    def run(job_id: str = "j", compute: Any = sampled) -> Any:
        settings = BayesianSettings(redis_url=redis_server.url, keep_seconds=77, max_attempts=2)
        app = create_worker(settings, compute, metrics, name="w")
        return app.tasks[TASK].apply(args=(job_id,), throw=True)

    return run


@pytest.fixture
def job_of(redis_server: Server) -> Iterator[Callable[[str], Job]]:
    with Redis.from_url(redis_server.url) as raw:
        yield lambda worker: Job(
            raw, "j", worker=worker, lease_seconds=30, keep_seconds=77, max_attempts=3
        )


def expire_lease(redis: Redis) -> None:
    redis.zadd(RUNNING_KEY, {"j": redis.time()[0] - 1})
    redis.hset(job_key("j"), "not_before", 0)


def must_not_run(*_: Any) -> SamplingOutput:
    raise AssertionError("it ran")


def test_a_result_is_written_with_its_draws_and_when_to_delete_them(
    redis: Redis, deliver: Deliver
) -> None:
    deliver()
    record = redis.hgetall(job_key("j"))
    assert (record["status"], record["progress"], record["attempts"]) == ("succeeded", "1", "1")
    assert BayesianResult.model_validate_json(record["result"]).divergences == 3
    assert Diagnostics.model_validate_json(record["diagnostics"]) == SEEN
    assert redis.get(draws_key("j")) == "netcdf"
    assert (redis.zcard(SHORT), redis.zcard(RUNNING_KEY)) == (0, 0)
    assert redis.zscore(ENDED_KEY, "j") - redis.time()[0] == pytest.approx(77, abs=10)
    assert redis.ttl(job_key("j")) == redis.ttl(draws_key("j")) == -1


@pytest.mark.parametrize("request_", ['{"model_type": 7}', "{}", "null", "[1, 2]", '"…"', "{", ""])
def test_an_invalid_request_fails_with_a_problem(
    redis: Redis, deliver: Deliver, request_: str
) -> None:
    redis.hset(job_key("j"), "request", request_)
    deliver()
    record = redis.hgetall(job_key("j"))
    assert record["status"] == "failed"
    assert json.loads(record["problem"])["code"] == "invalid-input"


def test_a_job_cancelled_while_it_was_queued_never_runs(redis: Redis, deliver: Deliver) -> None:
    redis.hset(job_key("j"), "status", "cancelled")
    deliver(compute=must_not_run)
    assert redis.hget(job_key("j"), "status") == "cancelled"
    assert not redis.exists(draws_key("j"))


def test_a_running_job_cancelled_while_its_worker_was_lost_never_runs(
    redis: Redis, deliver: Deliver
) -> None:
    redis.hset(job_key("j"), mapping={"status": "running", "worker": "lost", "cancel": "1"})
    expire_lease(redis)
    deliver(compute=must_not_run)
    assert redis.hget(job_key("j"), "status") == "cancelled"
    assert redis.zcard(RUNNING_KEY) == 0


def test_a_deleted_job_that_is_delivered_leaves_nothing_behind(
    redis: Redis, deliver: Deliver
) -> None:
    deliver("gone", compute=must_not_run)
    assert redis.keys("levy:job:gone*") == []


def test_a_duplicate_of_a_job_that_another_worker_runs_is_dropped(
    redis: Redis, deliver: Deliver
) -> None:
    redis.hset(job_key("j"), mapping={"status": "running", "worker": "another"})
    redis.zadd(RUNNING_KEY, {"j": redis.time()[0] + 30})
    began = time.monotonic()
    assert deliver(compute=must_not_run).state == "SUCCESS"
    assert time.monotonic() - began < 1.0
    assert redis.hget(job_key("j"), "worker") == "another"


@pytest.mark.parametrize(
    "history", [{"crashes": "2"}, {"attempts": "7", "created": "1000"}], ids=["crashes", "age"]
)
def test_a_job_that_crashed_its_process_too_often_or_is_a_day_old_fails(
    redis: Redis, deliver: Deliver, history: dict[str, str]
) -> None:
    redis.hset(job_key("j"), mapping={"status": "running", "worker": "w"} | history)
    deliver(compute=must_not_run)
    record = redis.hgetall(job_key("j"))
    assert record["status"] == "failed"
    assert "crashed on every attempt" in json.loads(record["problem"])["detail"]


def test_a_job_whose_workers_were_lost_runs_again_with_growing_pauses(
    redis: Redis, deliver: Deliver
) -> None:
    now = redis.time()[0]
    lost = {"status": "running", "worker": "lost", "attempts": "9", "created": now}
    redis.hset(job_key("j"), mapping=lost | {"not_before": now + 60})
    deliver(compute=must_not_run)
    redis.hset(job_key("j"), "not_before", now - 1)
    deliver()
    record = redis.hgetall(job_key("j"))
    assert (record["status"], record["attempts"]) == ("succeeded", "10")
    # 2¹⁰ s exceed the longest pause of ten minutes.
    pause = float(record["not_before"]) - redis.time()[0]
    assert pause == pytest.approx(600.0, abs=10.0)


@pytest.mark.parametrize(
    ("reason", "out_of_memory", "crashed"),
    [
        ("signal 9 (SIGKILL) Job: 3.", False, False),
        ("signal 15 (SIGTERM) Job: 3.", False, False),
        ("signal 9 (SIGKILL) Job: 3.", True, True),
        ("signal 11 (SIGSEGV) Job: 3.", False, True),
        ("exitcode 1 Job: 3.", False, True),
    ],
)
def test_only_what_a_job_brought_down_is_a_crash(
    reason: str, out_of_memory: bool, crashed: bool
) -> None:
    lost = f"Worker exited prematurely: {reason}"
    assert tasks._is_crash(lost, out_of_memory=out_of_memory) == crashed


def test_a_process_killed_at_the_hard_limit_is_a_failed_job(
    redis: Redis, redis_server: Server, metrics: BayesianMetrics
) -> None:
    redis.hset(job_key("j"), mapping={"status": "running", "worker": "w"})
    redis.zadd(RUNNING_KEY, {"j": redis.time()[0] + 30})
    settings = BayesianSettings(redis_url=redis_server.url)
    task = create_worker(settings, sampled, metrics, name="w").tasks[TASK]
    task.on_failure(TimeLimitExceeded(1260), "id", ("j",), {}, None)
    assert json.loads(redis.hget(job_key("j"), "problem") or "")["code"] == "deadline"


def test_owners_of_queued_jobs_take_turns_whatever_the_order_of_deliveries(
    redis: Redis, deliver: Deliver
) -> None:
    redis.delete(job_key("j"), SHORT)
    created = redis.time()[0] - 60
    owners = {"a1": "a", "a2": "a", "a3": "a", "a4": "a", "b1": "b", "b2": "b", "c1": ""}
    for k, (job_id, owner) in enumerate(owners.items()):
        record = {"status": "queued", "queue": "bayesian.short", "owner": owner}
        # The seed identifies the job.
        request = json.dumps(REQUEST | {"seed": k})
        redis.hset(job_key(job_id), mapping=record | {"created": created + k, "request": request})
        redis.zadd(SHORT, {job_id: created + k})
    started: list[str] = []

    def compute(request: BayesianRequest, progress: ProgressCallback) -> SamplingOutput:
        started.append(list(owners)[request.seed])
        return sampled(request, progress)

    for job_id in owners:
        deliver(job_id, compute)
    assert started == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]
    assert redis.zcard(SHORT) == 0


def test_a_job_that_another_worker_chose_first_leaves_the_turn_to_the_next(
    redis: Redis, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices = ["taken", "j"]
    redis.hset(job_key("taken"), mapping={"status": "running", "worker": "another"})
    redis.zadd(RUNNING_KEY, {"taken": redis.time()[0] + 30})
    monkeypatch.setattr(Job, "in_turn", lambda _: choices.pop(0))
    deliver("delivered")
    assert redis.hget(job_key("j"), "status") == "succeeded"
    assert redis.hget(job_key("taken"), "worker") == "another"


def test_a_job_that_started_before_does_not_wait_for_another_turn(
    redis: Redis, deliver: Deliver
) -> None:
    redis.hset(job_key("lost"), mapping=redis.hgetall(job_key("j")) | {"status": "running"})
    redis.zadd(RUNNING_KEY, {"lost": redis.time()[0] - 1})
    deliver("lost")
    assert redis.hget(job_key("lost"), "status") == "succeeded"
    assert redis.hget(job_key("j"), "status") == "queued"


def test_a_job_continues_while_redis_rejects_writes_and_its_result_is_written_afterwards(
    redis: Redis, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            redis.config_set("min-replicas-to-write", 0)

    def refused_meanwhile(request: BayesianRequest, progress: ProgressCallback) -> SamplingOutput:
        redis.config_set("min-replicas-to-write", 1)
        return sampled(request, progress)

    monkeypatch.setattr("redis.retry.sleep", pause)
    try:
        deliver(compute=refused_meanwhile)
    finally:
        redis.config_set("min-replicas-to-write", 0)
    assert len(pauses) == 3
    assert redis.hget(job_key("j"), "status") == "succeeded"
    assert redis.get(draws_key("j")) == "netcdf"


def test_a_job_whose_result_cannot_be_written_in_time_is_left_to_be_sent_again(
    redis: Redis, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused_meanwhile(request: BayesianRequest, progress: ProgressCallback) -> SamplingOutput:
        redis.config_set("min-replicas-to-write", 1)
        return sampled(request, progress)

    monkeypatch.setattr("redis.retry.sleep", lambda _: None)
    try:
        assert deliver(compute=refused_meanwhile).state == "SUCCESS"
    finally:
        redis.config_set("min-replicas-to-write", 0)
    assert redis.hget(job_key("j"), "status") == "running"
    assert redis.zrange(RUNNING_KEY, 0, -1) == ["j"]


def test_diagnostics_are_cleared_when_a_job_starts_again(
    redis: Redis, job_of: Callable[[str], Job]
) -> None:
    job = job_of("w")
    job.start()
    job.advance(Progress(0.5, SEEN))
    # A progress report without diagnostics does not change them.
    job.advance(Progress(0.6))
    assert redis.hget(job_key("j"), "diagnostics") == SEEN.model_dump_json()
    redis.hset(job_key("j"), "not_before", 0)
    job.start()
    assert redis.hmget(job_key("j"), "progress", "diagnostics") == ["0", None]


def test_stages_and_the_estimated_end_are_written(
    redis: Redis, job_of: Callable[[str], Job]
) -> None:
    names = ("stage", "stage_progress", "estimated_end")
    job = job_of("w")
    job.start()
    assert redis.hmget(job_key("j"), *names) == ["fitting", None, None]
    assert float(redis.hget(job_key("j"), "started")) == pytest.approx(redis.time()[0], abs=60.0)
    job.advance(Progress(0.0, stage="compiling"))
    job.advance(Progress(0.1, None, "warmup", 0.5))
    assert redis.hmget(job_key("j"), *names) == ["warmup", "0.5000", ""]
    job.advance(Progress(0.2, None, "sampling", 0.125))
    stage, share, end = redis.hmget(job_key("j"), *names)
    assert (stage, share) == ("sampling", "0.1250")
    assert float(end) >= redis.time()[0] - 60.0


def test_the_remaining_time_extrapolates_the_rate_without_compilation() -> None:
    remaining = RemainingTime()
    assert remaining.seconds(0.0, 0.0) is None
    assert remaining.seconds(0.1, 60.0) is None
    assert remaining.seconds(0.3, 62.0) == pytest.approx(7.0)
    assert remaining.seconds(0.9, 68.0) == pytest.approx(1.0)


def test_a_worker_that_lost_a_job_can_no_longer_write(
    redis: Redis, job_of: Callable[[str], Job]
) -> None:
    first, second = job_of("first"), job_of("second")
    assert first.start() == "started"
    assert second.start() == "leased"
    expire_lease(redis)
    assert second.start() == "started"
    with pytest.raises(JobLostError):
        first.advance(Progress(0.9))
    with pytest.raises(JobLostError):
        first.succeed(RESULT, b"stale")
    assert not redis.exists(draws_key("j"))
    second.succeed(RESULT, b"fresh")
    assert redis.get(draws_key("j")) == "fresh"
    with pytest.raises(JobLostError):
        second.cancel()  # it has ended
    assert redis.hget(job_key("j"), "status") == "succeeded"
    assert second.start() == "finished"


def test_a_result_whose_first_write_was_executed_without_a_reply_is_written_once(
    redis: Redis, job_of: Callable[[str], Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    job, transaction = job_of("w"), Redis.transaction
    replies = [False, True]

    def reply_lost(*args: Any, **options: Any) -> Any:
        result = transaction(*args, **options)
        if not replies.pop(0):
            raise job_store.RedisError("the reply was lost")
        return result

    job.start()
    monkeypatch.setattr(Redis, "transaction", reply_lost)
    job.succeed(RESULT, b"draws")
    assert replies == []
    assert redis.hget(job_key("j"), "status") == "succeeded"


def test_an_expired_lease_that_is_free_is_renewed_by_the_next_write(
    redis: Redis, job_of: Callable[[str], Job]
) -> None:
    job = job_of("w")
    job.start()
    expire_lease(redis)
    job.advance(Progress(0.5))
    assert (redis.zscore(RUNNING_KEY, "j") or 0.0) > redis.time()[0]


def test_the_lease_is_renewed_while_the_work_takes(redis: Redis, redis_server: Server) -> None:
    give_up = time.monotonic() + 60.0
    with Redis.from_url(redis_server.url) as raw:
        job = Job(raw, "j", worker="w", lease_seconds=5, keep_seconds=77, max_attempts=3)
        job.start()
        expire_lease(redis)
        with job.lease_renewed():
            while (redis.zscore(RUNNING_KEY, "j") or 0.0) < redis.time()[0]:
                assert time.monotonic() < give_up, "the lease was not renewed"
                time.sleep(0.05)


def test_jobs_are_counted_by_how_they_ended_and_how_good_they_are(
    deliver: Deliver, metrics: BayesianMetrics
) -> None:
    deliver()
    exposition_text = metrics.exposition().decode()
    labels = 'engine="laplace-psis",model="VarianceGamma"'
    assert f'levy_bayesian_jobs_total{{{labels},status="succeeded"}} 1.0' in exposition_text
    assert f"levy_bayesian_divergences_total{{{labels}}} 3.0" in exposition_text
    assert f"levy_bayesian_r_hat_sum{{{labels}}} 1.004" in exposition_text
    assert f"levy_bayesian_ess_sum{{{labels}}} 1500.0" in exposition_text
    assert f"levy_bayesian_job_seconds_count{{{labels}}} 1.0" in exposition_text
    assert 'job_wait_seconds_bucket{le="60.0",queue="bayesian.short"} 0.0' in exposition_text
    assert 'job_wait_seconds_bucket{le="300.0",queue="bayesian.short"} 1.0' in exposition_text


def test_an_invalid_request_adds_no_label(
    redis: Redis, deliver: Deliver, metrics: BayesianMetrics
) -> None:
    redis.hset(job_key("j"), "request", json.dumps({"model_type": "x" * 1000}))
    deliver()
    exposition_text = metrics.exposition().decode()
    assert (
        'levy_bayesian_jobs_total{engine="unknown",model="unknown",status="failed"} 1.0'
        in exposition_text
    )


def test_a_worker_acknowledges_late_and_takes_one_job_at_a_time() -> None:
    settings = BayesianSettings()
    conf = create_worker(settings, sampled, BayesianMetrics()).conf
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert conf.worker_concurrency == 1
    assert conf.accept_content == ["json"]
    # The visibility timeout exceeds the longest run time of a job.
    assert conf.broker_transport_options["visibility_timeout"] > settings.hard_limit_seconds


def test_a_status_is_read_from_what_a_job_keeps() -> None:
    status = JobStatus(job_id="j", status="succeeded", progress=1.0, result=RESULT)
    assert JobStatus.model_validate_json(status.model_dump_json()) == status
