"""The outcomes of a job are values."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from pydantic import ValidationError

from levy_bayesian.handlers.run import CancelledError, TimeLimitError, run
from levy_bayesian.job_store import JobLostError, StartOutcome
from levy_bayesian.progress import Progress, ProgressCallback
from levy_bayesian.settings import BayesianSettings
from levy_numerics.errors import InvalidInputError
from levy_schemas.jobs import BayesianResult, idempotency_key
from levy_schemas.problems import Problem

RESULT = BayesianResult(
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


@dataclass
class FakeJob:
    """A job in memory, cancelled or lost once it got as far as `cancelled_at` or `lost_at`."""

    status: str = "queued"
    outcome: StartOutcome = "started"
    cancelled_at: float = 2.0
    lost_at: float = 2.0
    shares: list[float] = field(default_factory=list)
    kept: tuple[BayesianResult, bytes] | None = None
    problem: Problem | None = None

    def start(self) -> StartOutcome:
        return self.outcome

    def is_cancelled(self) -> bool:
        return bool(self.shares) and self.shares[-1] >= self.cancelled_at

    def advance(self, standing: Progress) -> None:
        if standing.share >= self.lost_at:
            raise JobLostError
        self.shares.append(standing.share)

    def succeed(self, result: BayesianResult, draws: bytes) -> None:
        self.status, self.kept = "succeeded", (result, draws)

    def fail(self, problem: Problem) -> None:
        self.status, self.problem = "failed", problem

    def cancel(self) -> None:
        self.status = "cancelled"


def in_blocks(progress: ProgressCallback) -> tuple[BayesianResult, bytes]:
    for share in (0.25, 0.5, 0.75, 1.0):
        progress(Progress(share))
    return RESULT, b"netcdf"


def run_fake(job: FakeJob, work: Callable[[ProgressCallback], tuple[BayesianResult, bytes]]) -> str:
    return run(job, work)  # type: ignore[arg-type]  # the fake has the methods that it needs


def raising(error: Exception) -> Callable[..., tuple[BayesianResult, bytes]]:
    def work(_progress: ProgressCallback) -> tuple[BayesianResult, bytes]:
        raise error

    return work


def test_a_job_that_succeeds_keeps_its_result_and_its_draws() -> None:
    job = FakeJob()
    assert run_fake(job, in_blocks) == "succeeded"
    assert job.kept == (RESULT, b"netcdf")
    assert job.shares == [0.25, 0.5, 0.75, 1.0]


def test_cancelling_takes_effect_at_the_next_block_of_draws() -> None:
    job = FakeJob(cancelled_at=0.5)
    assert run_fake(job, in_blocks) == "cancelled"
    assert job.shares == [0.25, 0.5]
    assert job.kept is None


def test_a_job_delivered_again_after_its_end_is_left_alone() -> None:
    job = FakeJob("succeeded", outcome="finished")
    assert run_fake(job, raising(AssertionError("must not run"))) == "skipped"
    assert job.status == "succeeded"


def test_a_duplicate_of_a_job_that_another_worker_runs_is_dropped() -> None:
    job = FakeJob("running", outcome="leased")
    assert run_fake(job, raising(AssertionError("must not run"))) == "skipped"
    assert job.status == "running"


def test_a_job_that_was_taken_over_ends_without_a_word() -> None:
    job = FakeJob(lost_at=0.5)
    assert run_fake(job, in_blocks) == "lost"
    assert job.shares == [0.25]
    assert (job.kept, job.problem) == (None, None)


def test_a_job_that_crashed_its_process_on_every_attempt_fails() -> None:
    job = FakeJob(outcome="exhausted")
    assert run_fake(job, raising(AssertionError("must not run"))) == "failed"
    assert job.problem is not None
    assert job.problem.code == "internal"
    assert "crashed on every attempt" in job.problem.detail


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInputError("too few quotes"), "invalid-input"),
        (TimeLimitError(), "deadline"),
        (ZeroDivisionError("secret"), "internal"),
    ],
)
def test_a_failure_is_a_problem(error: Exception, code: str) -> None:
    job = FakeJob()
    assert run_fake(job, raising(error)) == "failed"
    assert job.problem is not None
    assert job.problem.code == code
    assert "secret" not in job.problem.model_dump_json()


def test_a_cancelled_job_has_not_failed() -> None:
    job = FakeJob()
    assert run_fake(job, raising(CancelledError())) == "cancelled"
    assert job.problem is None


def test_the_soft_time_limit_is_below_the_hard_one() -> None:
    with pytest.raises(ValidationError, match="in order"):
        BayesianSettings(soft_limit_seconds=1260, hard_limit_seconds=1260)


def test_idempotency_keys_of_two_owners_never_meet() -> None:
    assert idempotency_key("desk", "1") != idempotency_key("risk", "1")
