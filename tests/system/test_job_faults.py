"""Jobs outlive the parts that make, keep and run them: real processes, a real Redis."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from levy_schemas.jobs import TASK, job_key, queued_key
from tests.processes import Service, family_of
from tests.system.job_engine import PATH, QUEUE_LIMIT, Start, until

pytestmark = pytest.mark.system


def test_the_job_of_a_worker_that_is_killed_is_finished_by_another(start: Start) -> None:
    engine = start()
    first = engine.worker()
    job_id = engine.submit(4.0)
    engine.wait_for(job_id, "running")
    first.kill()
    second = engine.worker()
    engine.wait_for(job_id, "succeeded")
    assert engine.ran_by(job_id) in family_of(second.pid)
    assert engine.redis.hget(job_key(job_id), "attempts") == "2"


def test_a_job_taken_over_from_a_worker_that_hung_ends_once(start: Start) -> None:
    engine = start()
    first = engine.worker()
    job_id = engine.submit(4.0)
    engine.wait_for(job_id, "running")
    hung = family_of(first.pid)
    for pid in hung:
        os.kill(pid, signal.SIGSTOP)
    second = engine.worker()
    until(lambda: engine.redis.hget(job_key(job_id), "attempts") == "2")
    for pid in hung:
        os.kill(pid, signal.SIGCONT)
    engine.wait_for(job_id, "succeeded")
    assert engine.ran_by(job_id) in family_of(second.pid)
    # What hung is none the worse for it.
    second.kill()
    engine.wait_for(engine.submit(0.1), "succeeded")


def test_a_worker_that_is_stopped_gives_its_job_back_at_once(start: Start) -> None:
    engine = start()
    first = engine.worker(LEASE_SECONDS="3600")
    job_id = engine.submit(6.0)
    engine.wait_for(job_id, "running")
    assert first.stop(seconds=60.0) == 0
    second = engine.worker(LEASE_SECONDS="3600")
    engine.wait_for(job_id, "succeeded")
    assert engine.ran_by(job_id) in family_of(second.pid)


def answers(service: Service, page: str) -> int | None:
    try:
        return httpx.get(f"{service.url}/health/{page}", trust_env=False).status_code
    except httpx.TransportError:
        return None


def test_a_worker_is_ready_once_it_is_warm_and_not_before(start: Start) -> None:
    engine = start()
    engine.redis.set("cold", "1")
    worker = engine.cold_worker()
    job_id = engine.submit(0.1)
    until(lambda: answers(worker, "live") == 200)
    assert answers(worker, "ready") == 503
    assert engine.job(job_id)["status"] == "queued"
    engine.redis.delete("cold")
    worker.wait_until_ready()
    engine.wait_for(job_id, "succeeded")


def test_how_draws_are_doing_is_told_while_a_job_runs(start: Start) -> None:
    engine = start()
    engine.worker()
    job_id = engine.submit(6.0)
    until(lambda: ((engine.job(job_id)["diagnostics"] or {}).get("draws") or 0) > 0)
    assert engine.job(job_id)["status"] == "running"


def test_cancelling_stops_the_sampler_and_the_next_job_runs(start: Start) -> None:
    engine = start()
    engine.worker()
    job_id = engine.submit(20.0)
    engine.wait_for(job_id, "running")
    url = f"{engine.gateway.url}{PATH}/{job_id}"
    assert httpx.delete(url, timeout=60.0, trust_env=False).status_code == 200
    engine.wait_for(job_id, "cancelled")
    engine.wait_for(engine.submit(0.1), "succeeded")
    assert engine.ran_by(job_id) == 0


def test_a_job_that_takes_too_long_fails_and_its_worker_lives(start: Start) -> None:
    engine = start()
    engine.worker(SOFT_LIMIT_SECONDS="2", HARD_LIMIT_SECONDS="30")
    found = engine.wait_for(engine.submit(20.0), "failed")
    assert found["problem"]["code"] == "deadline"
    engine.wait_for(engine.submit(0.1), "succeeded")


def test_a_job_that_does_not_listen_ends_with_its_process(start: Start) -> None:
    engine = start()
    engine.worker(SOFT_LIMIT_SECONDS="1", HARD_LIMIT_SECONDS="2")
    found = engine.wait_for(engine.submit(20.0, likelihood="student_t"), "failed")
    assert found["problem"]["code"] == "deadline"
    engine.wait_for(engine.submit(0.1), "succeeded")


def test_a_job_whose_process_dies_begins_again_in_another(start: Start) -> None:
    engine = start()
    worker = engine.worker()
    job_id = engine.submit(4.0)
    engine.wait_for(job_id, "running")
    _, *sampling = family_of(worker.pid)
    for pid in sampling:
        os.kill(pid, signal.SIGKILL)
    engine.wait_for(job_id, "succeeded")
    assert engine.redis.hget(job_key(job_id), "attempts") == "2"
    assert engine.ran_by(job_id) not in sampling


def test_jobs_outlive_a_restart_of_redis_that_keeps_what_it_was_told(start: Start) -> None:
    engine = start(persistent=True)
    engine.worker()
    running, waiting = engine.submit(4.0), engine.submit(0.1)
    engine.wait_for(running, "running")
    engine.restart_redis()
    engine.wait_for(running, "succeeded")
    engine.wait_for(waiting, "succeeded")


def test_jobs_outlive_a_restart_of_the_gateway(start: Start) -> None:
    engine = start()
    engine.worker()
    job_id = engine.submit(4.0)
    engine.restart_gateway()
    engine.wait_for(job_id, "succeeded")


def test_a_malformed_message_harms_no_other(start: Start) -> None:
    engine = start()
    for task, arguments in (
        (TASK, []),
        (TASK, ["no such job"]),
        (TASK, [{"job": 1}]),
        (TASK, ["a" * 32, "too many"]),
        ("no.such.task", ["a" * 32]),
    ):
        engine.celery.send_task(task, args=arguments, queue="bayesian.short")
    with engine.celery.connection_for_write() as connection:
        connection.Producer(auto_declare=False).publish(
            b"\xff{",
            routing_key="bayesian.short",
            content_type="application/json",
            content_encoding="utf-8",
        )
    worker = engine.worker()
    engine.wait_for(engine.submit(0.1), "succeeded")
    assert worker.exit_status is None


def test_fifty_jobs_wait_for_one_worker_and_keep_their_order(start: Start) -> None:
    engine = start()
    jobs = [engine.submit(0.1, seed=i) for i in range(QUEUE_LIMIT)]
    refused = engine.post(0.1)
    assert (refused.status_code, refused.json()["code"]) == (503, "queue-full")
    assert int(refused.headers["Retry-After"]) >= 1
    engine.worker()
    engine.wait_for(jobs[-1], "succeeded")
    assert engine.redis.lrange("order", 0, -1) == [str(i) for i in range(QUEUE_LIMIT)]
    assert {engine.job(job_id)["status"] for job_id in jobs} == {"succeeded"}
    assert engine.post(0.1).status_code == 202


def test_the_same_key_from_many_at_once_is_one_job(start: Start) -> None:
    engine = start()
    headers = {"Idempotency-Key": "monday"}
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(engine.submit, 0.1, **headers) for _ in range(8)]
        made = {each.result() for each in asked}
    assert len(made) == 1
    assert engine.redis.zcard(queued_key("bayesian.short")) == 1
