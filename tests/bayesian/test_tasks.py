"""Messages as a worker reads them, with Redis in memory."""

from typing import Any

import pytest

from levy_bayesian import tasks
from levy_bayesian.handlers.run import Progress
from levy_bayesian.settings import BayesianSettings
from levy_bayesian.worker import create_worker
from levy_schemas.jobs import TASK, BayesianRequest, BayesianResult, JobStatus, draws_key, job_key
from levy_schemas.surface import EXAMPLE_GRID
from tests.bayesian.test_run import RESULT

PAYLOAD = EXAMPLE_GRID | {"model_type": "VarianceGamma", "engine": "laplace-psis"}


class FakeRedis:
    """The few commands that a job needs; expiry is noted, not lived."""

    def __init__(self) -> None:
        self.hashes: dict[str, dict[str, str]] = {}
        self.strings: dict[str, bytes] = {}
        self.expiries: dict[str, int] = {}

    def __enter__(self) -> "FakeRedis":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def hget(self, key: str, field: str) -> bytes | None:
        found = self.hashes.get(key, {}).get(field)
        return None if found is None else found.encode()

    def hset(self, key: str, mapping: dict[str, str]) -> None:
        self.hashes.setdefault(key, {}).update(mapping)

    def expire(self, key: str, seconds: int) -> None:
        self.expiries[key] = seconds

    def set(self, key: str, value: bytes, ex: int) -> None:
        self.strings[key], self.expiries[key] = value, ex


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> FakeRedis:
    fake = FakeRedis()
    monkeypatch.setattr(tasks.Redis, "from_url", lambda _url: fake)
    fake.hset(job_key("j"), {"status": "queued"})
    return fake


def sampled(_request: BayesianRequest, progress: Progress) -> tuple[BayesianResult, bytes]:
    progress(0.5)
    return RESULT, b"netcdf"


def deliver(payload: dict[str, Any], job_id: str = "j") -> None:
    app = create_worker(BayesianSettings(keep_seconds=77), sampled)
    app.tasks[TASK].apply(args=(job_id, payload)).get()


def test_what_a_job_found_is_kept_for_a_while(redis: FakeRedis) -> None:
    deliver(PAYLOAD)
    kept = redis.hashes[job_key("j")]
    assert kept["status"] == "succeeded"
    assert BayesianResult.model_validate_json(kept["result"]) == RESULT
    assert redis.strings[draws_key("j")] == b"netcdf"
    assert redis.expiries == {job_key("j"): 77, draws_key("j"): 77}


def test_a_poisoned_payload_fails_with_a_problem(redis: FakeRedis) -> None:
    deliver({"model_type": 7})
    kept = redis.hashes[job_key("j")]
    assert kept["status"] == "failed"
    assert '"invalid-input"' in kept["problem"]


def test_a_job_cancelled_while_it_waited_never_runs(redis: FakeRedis) -> None:
    redis.hset(job_key("j"), {"cancel": "1"})
    deliver(PAYLOAD)
    assert redis.hashes[job_key("j")]["status"] == "cancelled"
    assert redis.strings == {}


def test_a_job_that_expired_while_it_waited_leaves_nothing_behind(redis: FakeRedis) -> None:
    deliver(PAYLOAD, "gone")
    assert job_key("gone") not in redis.hashes


def test_a_worker_acknowledges_late_and_takes_one_job_at_a_time() -> None:
    conf = create_worker(BayesianSettings(), sampled).conf
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert conf.accept_content == ["json"]
    assert conf.broker_transport_options["visibility_timeout"] > conf.task_time_limit


def test_a_status_is_read_from_what_a_job_keeps() -> None:
    status = JobStatus(job_id="j", status="succeeded", progress=1.0, result=RESULT)
    assert JobStatus.model_validate_json(status.model_dump_json()) == status
