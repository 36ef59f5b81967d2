"""Jobs as they lie in Redis: see `levy_schemas.jobs` for the names."""

from typing import Protocol

from redis import Redis

from levy_schemas.jobs import ENDED, BayesianResult, JobField, draws_key, job_key
from levy_schemas.problems import Problem


class Job(Protocol):
    """One job, as its handler sees it."""

    def begin(self) -> bool:
        """Mark it as running; False if it has ended, was cancelled or is no longer known."""

    def is_cancelled(self) -> bool:
        """Whether somebody asked to end it."""

    def advance(self, share: float) -> None:
        """Tell the share done."""

    def succeed(self, result: BayesianResult, draws: bytes) -> None:
        """Keep what was found."""

    def fail(self, problem: Problem) -> None:
        """Keep what went wrong."""

    def cancel(self) -> None:
        """Say that it ended since it was asked to."""


class RedisJob:
    """A job in Redis.

    Parameters
    ----------
    redis : Redis
    job_id : str
    keep_seconds : int
        How long what it found is kept.
    """

    def __init__(self, redis: Redis, job_id: str, keep_seconds: int) -> None:
        self._redis = redis
        self._key = job_key(job_id)
        self._draws = draws_key(job_id)
        self._keep_seconds = keep_seconds

    def begin(self) -> bool:
        status, cancel = self._get("status"), self._get("cancel")
        if status is None or status in ENDED:
            return False
        if cancel is not None:
            self.cancel()
            return False
        self._set({"status": "running", "progress": "0"})
        return True

    def is_cancelled(self) -> bool:
        return self._get("cancel") is not None

    def advance(self, share: float) -> None:
        self._set({"progress": f"{min(max(share, 0.0), 1.0):.4f}"})

    def succeed(self, result: BayesianResult, draws: bytes) -> None:
        # The draws first: whoever reads "succeeded" finds them.
        self._redis.set(self._draws, draws, ex=self._keep_seconds)
        self._set({"progress": "1", "result": result.model_dump_json(), "status": "succeeded"})

    def fail(self, problem: Problem) -> None:
        self._set({"problem": problem.model_dump_json(), "status": "failed"})

    def cancel(self) -> None:
        self._set({"status": "cancelled"})

    def _get(self, field: JobField) -> str | None:
        found = self._redis.hget(self._key, field)
        return found.decode() if isinstance(found, bytes) else found

    def _set(self, fields: dict[JobField, str]) -> None:
        self._redis.hset(self._key, mapping={str(name): value for name, value in fields.items()})
        self._redis.expire(self._key, self._keep_seconds)
