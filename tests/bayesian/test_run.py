"""A job ends in one of four ways, and each is told as data."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from pydantic import ValidationError

from levy_bayesian.handlers.run import CancelledError, Progress, TimeLimitError, run
from levy_bayesian.settings import BayesianSettings
from levy_numerics.errors import InvalidInputError
from levy_schemas.jobs import BayesianRequest, BayesianResult, idempotency_key
from levy_schemas.problems import Problem
from levy_schemas.surface import EXAMPLE_GRID

REQUEST = BayesianRequest.model_validate(EXAMPLE_GRID | {"model_type": "VarianceGamma"})
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
    """A job in memory, cancelled once it got as far as `cancelled_at`."""

    status: str = "queued"
    cancelled_at: float = 2.0
    shares: list[float] = field(default_factory=list)
    kept: tuple[BayesianResult, bytes] | None = None
    problem: Problem | None = None

    def begin(self) -> bool:
        if self.status not in ("queued", "running"):
            return False
        self.status = "running"
        return True

    def is_cancelled(self) -> bool:
        return bool(self.shares) and self.shares[-1] >= self.cancelled_at

    def advance(self, share: float) -> None:
        self.shares.append(share)

    def succeed(self, result: BayesianResult, draws: bytes) -> None:
        self.status, self.kept = "succeeded", (result, draws)

    def fail(self, problem: Problem) -> None:
        self.status, self.problem = "failed", problem

    def cancel(self) -> None:
        self.status = "cancelled"


def in_blocks(_request: BayesianRequest, progress: Progress) -> tuple[BayesianResult, bytes]:
    for share in (0.25, 0.5, 0.75, 1.0):
        progress(share)
    return RESULT, b"netcdf"


def raising(error: Exception) -> Callable[..., tuple[BayesianResult, bytes]]:
    def compute(_request: BayesianRequest, _progress: Progress) -> tuple[BayesianResult, bytes]:
        raise error

    return compute


def test_a_job_that_succeeds_keeps_its_result_and_its_draws() -> None:
    job = FakeJob()
    assert run(job, REQUEST, in_blocks) == "succeeded"
    assert job.kept == (RESULT, b"netcdf")
    assert job.shares == [0.25, 0.5, 0.75, 1.0]


def test_cancelling_takes_effect_at_the_next_block_of_draws() -> None:
    job = FakeJob(cancelled_at=0.5)
    assert run(job, REQUEST, in_blocks) == "cancelled"
    assert job.shares == [0.25, 0.5]
    assert job.kept is None


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_a_job_delivered_again_after_its_end_is_left_alone(status: str) -> None:
    job = FakeJob(status)
    assert run(job, REQUEST, raising(AssertionError("must not run"))) == "skipped"
    assert job.status == status


def test_a_job_whose_worker_died_is_run_again() -> None:
    assert run(FakeJob("running"), REQUEST, in_blocks) == "succeeded"


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
    assert run(job, REQUEST, raising(error)) == "failed"
    assert job.problem is not None
    assert job.problem.code == code
    assert "secret" not in job.problem.model_dump_json()


def test_cancelled_is_no_failure() -> None:
    job = FakeJob()
    assert run(job, REQUEST, raising(CancelledError())) == "cancelled"
    assert job.problem is None


def test_a_job_is_not_handed_on_while_it_may_still_run() -> None:
    with pytest.raises(ValidationError, match="in order"):
        BayesianSettings(hard_limit_seconds=1260, visibility_seconds=1260)


def test_idempotency_keys_of_two_owners_never_meet() -> None:
    assert idempotency_key("desk", "1") != idempotency_key("risk", "1")
