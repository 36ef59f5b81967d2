"""Jobs survive failures of gateway, Redis and workers: real processes."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from random import Random

import httpx
import pytest

from levy_schemas.jobs import TASK, job_key, queued_key
from tests.processes import Service, family_of
from tests.system.job_engine import PATH, QUEUE_LIMIT, Engine, Start, until

pytestmark = pytest.mark.system

N_KILLS = 20


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
    # The resumed worker continues to work.
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


def test_diagnostics_are_reported_while_a_job_runs(start: Start) -> None:
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
    found = engine.wait_for(engine.submit(20.0, change={"likelihood": "student_t"}), "failed")
    assert found["problem"]["code"] == "deadline"
    engine.wait_for(engine.submit(0.1), "succeeded")


def test_a_job_whose_process_crashes_restarts_in_another(start: Start) -> None:
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


def test_a_job_that_crashes_its_process_fails_after_three_attempts(start: Start) -> None:
    engine = start()
    worker = engine.worker()
    job_id = engine.submit(0.1, change={"weights": "vega"})
    found = engine.wait_for(job_id, "failed")
    assert "crashed on every attempt" in found["problem"]["detail"]
    assert engine.redis.hget(job_key(job_id), "crashes") == "3"
    engine.wait_for(engine.submit(0.1), "succeeded")
    assert worker.exit_status is None


def test_kills_by_others_do_not_count_as_crashes_of_a_job(start: Start) -> None:
    engine = start()

    def attempt(number: int) -> None:
        until(lambda: engine.redis.hget(job_key(job_id), "attempts") == str(number))

    worker = engine.worker(LEASE_SECONDS="2", MAX_ATTEMPTS="1")
    job_id = engine.submit(4.0)
    for number in (1, 2):
        attempt(number)
        os.kill(family_of(worker.pid)[-1], signal.SIGKILL)
    for number in (3, 4):
        attempt(number)
        worker.kill()
        worker = engine.worker(LEASE_SECONDS="2", MAX_ATTEMPTS="1")
    engine.wait_for(job_id, "succeeded")
    assert engine.redis.hmget(job_key(job_id), "attempts", "crashes") == ["5", "0"]


def test_jobs_survive_a_restart_of_redis_with_its_data(start: Start) -> None:
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
        submissions = [threads.submit(engine.submit, 0.1, **headers) for _ in range(8)]
        made = {each.result() for each in submissions}
    assert len(made) == 1
    assert engine.redis.zcard(queued_key("bayesian.short")) == 1


def stream(engine: Engine, n_jobs: int, seconds: float) -> list[str]:
    """Submit jobs of a given duration and return their ids."""
    return [engine.submit(seconds * (0.8 + 0.1 * (i % 5)), seed=i) for i in range(n_jobs)]


def sampling(engine: Engine) -> int:
    """Return the process that started sampling last."""
    return int(engine.redis.get("sampling") or 0)


def test_workers_killed_at_twenty_random_moments_lose_no_job(start: Start) -> None:
    random = Random(16)
    engine = start()
    settings = {"LEASE_SECONDS": "2", "MAX_ATTEMPTS": "100"}
    workers = [engine.cold_worker(**settings) for _ in range(3)]
    job_ids = stream(engine, QUEUE_LIMIT, seconds=1.0)
    killed = 0
    for kill in range(N_KILLS):
        until(lambda: sampling(engine) not in {0, killed})  # noqa: B023 - called at once
        time.sleep(random.uniform(0.0, 1.0))
        killed = sampling(engine)
        if kill % 4 == 3:
            # Only the child: its worker starts another.
            os.kill(killed, signal.SIGKILL)
            continue
        for worker in [each for each in workers if killed in family_of(each.pid)]:
            worker.kill()
            workers.remove(worker)
            workers.append(engine.cold_worker(**settings))
    unfinished = sum(engine.job(job_id)["status"] != "succeeded" for job_id in job_ids)
    engine.require_each_succeeds_once(job_ids)
    attempts = sum(int(engine.redis.hget(job_key(each), "attempts") or 0) for each in job_ids)
    print(  # noqa: T201 - a figure of the run
        f"\n{N_KILLS} kills, {unfinished} of {len(job_ids)} jobs unfinished after the last, "
        f"{attempts} attempts"
    )
    assert attempts > len(job_ids) + N_KILLS // 4


def test_a_job_whose_gateway_is_killed_between_record_and_message_is_sent_later(
    start: Start,
) -> None:
    engine = start()
    engine.worker()
    # The broker rejects the message, and the gateway is killed before it sends another.
    engine.redis.execute_command("ACL", "SETUSER", "default", "-lpush")
    job_id = engine.submit(0.1)
    engine.gateway.kill()
    engine.redis.execute_command("ACL", "SETUSER", "default", "+lpush")
    assert engine.redis.hget(job_key(job_id), "status") == "queued"
    engine.restart_gateway()
    engine.wait_for(job_id, "succeeded")


def test_gateways_killed_while_they_accept_jobs_lose_none_that_they_acknowledged(
    start: Start,
) -> None:
    random = Random(16)
    engine = start()
    engine.worker()
    acknowledged: dict[int, str] = {}
    with ThreadPoolExecutor(4) as threads:
        for kill in range(3):

            def submit(seed: int) -> None:
                with suppress(httpx.TransportError):
                    acknowledged[seed] = engine.submit(0.01, seed=seed)

            known, enough = len(acknowledged), random.randint(1, 4)
            submissions = [threads.submit(submit, 8 * kill + i) for i in range(8)]
            until(lambda: len(acknowledged) >= known + enough)  # noqa: B023 - called at once
            engine.gateway.kill()
            wait(submissions)
            engine.restart_gateway()
    for job_id in acknowledged.values():
        engine.wait_for(job_id, "succeeded")
    order = engine.redis.lrange("order", 0, -1)
    print(f"\n{len(acknowledged)} of 24 acknowledged, {len(order)} ran")  # noqa: T201 - a figure
    assert len(set(order)) == len(order)


def test_redis_restarted_as_deployed_loses_no_job(start: Start) -> None:
    engine = start(persistent=True)
    workers = [engine.worker(), engine.worker()]
    job_ids = stream(engine, 20, seconds=0.3)
    for _ in range(3):
        engine.redis.config_set("appendfsync", "everysec")
        time.sleep(0.5)
        engine.redis_server.stop()
        time.sleep(0.5)
        engine.start_redis()
    engine.require_each_succeeds_once(job_ids)
    assert [worker.exit_status for worker in workers] == [None, None]


def test_a_job_that_is_delivered_many_times_runs_once(start: Start) -> None:
    engine = start()

    def deliver(times: int) -> None:
        for _ in range(times):
            engine.celery.send_task(TASK, args=[job_id], queue="bayesian.short")

    workers = [engine.worker(), engine.worker()]
    job_id = engine.submit(8.0, seed=7)
    deliver(3)
    engine.wait_for(job_id, "running")
    deliver(3)
    # A worker without the lease drops the duplicates and is free for other jobs.
    engine.wait_for(engine.submit(0.1, seed=8), "succeeded")
    assert engine.job(job_id)["status"] == "running"
    engine.wait_for(job_id, "succeeded")
    deliver(3)
    engine.wait_for(engine.submit(0.1, seed=9), "succeeded")
    assert engine.redis.lrange("order", 0, -1) == ["7", "8", "9"]
    engine.require_each_succeeds_once([job_id])
    assert [worker.exit_status for worker in workers] == [None, None]
