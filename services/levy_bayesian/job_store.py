"""The worker's side of the job store: see `levy_schemas.jobs` for the keys.

The worker that runs a job holds its lease and renews it. A job whose lease has expired may be
taken over; the worker that lost it can no longer write. A job that is delivered twice therefore
ends once. Every change is one transaction that Redis executes as a whole or not at all.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, Literal, NamedTuple, TypeVar

import structlog
from redis import Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from levy_bayesian.progress import Progress, RemainingTime
from levy_schemas.jobs import (
    ENDED_KEY,
    RESERVED_KEY,
    RUNNING_KEY,
    BayesianResult,
    JobField,
    draws_key,
    job_key,
    queued_key,
    served_key,
)
from levy_schemas.problems import Problem

StartOutcome = Literal["started", "finished", "leased", "exhausted"]
"""The job may run; it has ended; another worker runs it, or it must wait; no attempt is left."""

RETRIES: Final = 600
"""Retries of a write that must not be lost, about one a second: ten minutes' outage of Redis."""
_MAX_BACKOFF_SECONDS: Final = 600.0
"""Longest time between two starts of a job whose worker or process is lost."""
_RENEWALS_PER_LEASE: Final = 5
_MAX_PAUSE_SECONDS: Final = 1.0

_log = structlog.get_logger()
_Result = TypeVar("_Result")


class JobLostError(Exception):
    """Another worker has taken over the job, or it was deleted."""


class JobRecord(NamedTuple):
    """The request as JSON, None if the job does not exist, and the details of its submission."""

    request: bytes | None
    request_id: str
    queue: str
    created: float


class Job:
    """A job in the job store.

    Parameters
    ----------
    redis : Redis
    job_id : str
    worker : str
        Holder of the lease; a worker keeps its name when its child process is replaced.
    lease_seconds : int
        Time after its last renewal at which the lease expires.
    keep_seconds : int
        Time for which an ended job is kept.
    max_attempts : int
        Number of crashes of its process after which the job fails.
    retries : int
        Of reads and writes that the job cannot do without, about one a second.
    """

    def __init__(
        self,
        redis: Redis,
        job_id: str,
        *,
        worker: str,
        lease_seconds: int,
        keep_seconds: int,
        max_attempts: int,
        retries: int = RETRIES,
    ) -> None:
        self._redis = redis
        self._job_id = job_id
        self._key = job_key(job_id)
        self._worker = worker
        self._lease_seconds = lease_seconds
        self._keep_seconds = keep_seconds
        self._max_attempts = max_attempts
        self._remaining = RemainingTime()
        backoff = ExponentialBackoff(cap=_MAX_PAUSE_SECONDS, base=0.05)
        # Every error of Redis: one that rejects writes, after a failover or when its disk or
        # memory is full, takes them again later.
        self._retry = Retry(backoff, retries, supported_errors=(RedisError, OSError))

    def read(self) -> JobRecord:
        """Return the job record."""
        fields = ("request", "request_id", "queue", "created")
        read: Any = self._retried(lambda: self._redis.hmget(self._key, fields))
        request, request_id, queue, created = read
        return JobRecord(
            request,
            (request_id or b"").decode(),
            (queue or b"").decode(),
            float(created or 0.0),
        )

    def in_turn(self) -> str:
        """Return the id of the job that a delivery of this one starts.

        A queued or ended job's delivery is a turn of its queue, which the oldest job of the owner
        that was served least recently takes. A job that has started before does not wait again.
        """
        job_id: str = self._retried(self._in_turn)
        return job_id

    def _in_turn(self) -> str:
        redis: Any = self._redis
        status, queue = redis.hmget(self._key, "status", "queue")
        if queue is None or status == b"running":
            return self._job_id
        waiting = redis.zrange(queued_key(queue.decode()), 0, -1)
        with redis.pipeline(transaction=False) as reads:
            for job_id in waiting:
                reads.hget(job_key(job_id.decode()), "owner")
            owners = reads.execute()
        served = dict(redis.zrange(served_key(queue.decode()), 0, -1, withscores=True))
        turns = [served.get(owner or b"", 0.0) for owner in owners]
        # The first of equals, hence the oldest: the index is ordered by creation.
        return str(waiting[turns.index(min(turns))].decode()) if turns else self._job_id

    def start(self) -> StartOutcome:
        """Take the lease and mark the job as running, if it may run."""
        outcome: StartOutcome = self._retried(lambda: self._transaction(self._start))
        return outcome

    def _start(self, pipe: Any) -> StartOutcome:
        fields = ("status", "worker", "cancel", "attempts", "queue", "created")
        status, worker, cancel, attempts, queue, created = pipe.hmget(self._key, fields)
        crashes, not_before, owner = pipe.hmget(self._key, "crashes", "not_before", "owner")
        if status not in (b"queued", b"running"):
            return "finished"
        now = _now(pipe)
        expiry = pipe.zscore(RUNNING_KEY, self._job_id) or 0.0
        if status == b"running" and worker != self._worker.encode() and expiry > now:
            return "leased"
        if now < float(not_before or 0.0):
            return "leased"
        pipe.multi()
        pipe.zrem(queued_key(queue.decode()), self._job_id)
        if cancel:
            self._end(pipe, {"status": "cancelled"}, now)
            return "finished"
        pipe.zadd(served_key(queue.decode()), {owner or b"": now})
        attempt = int(attempts or 0) + 1
        started: dict[JobField, Any] = {"status": "running", "worker": self._worker}
        # When the lease expires the gateway sends the task again at once, but starts are spaced: a
        # job that brings its worker down must not do so without pause.
        again = now + min(2.0**attempt, _MAX_BACKOFF_SECONDS)
        started |= {"attempts": attempt, "progress": 0, "send_after": again, "not_before": again}
        started |= {"started": now, "stage": "fitting"}
        pipe.hset(self._key, mapping=started)
        pipe.hdel(self._key, "diagnostics", "stage_progress", "estimated_end")
        pipe.zadd(RUNNING_KEY, {self._job_id: now + self._lease_seconds})
        too_old = attempt > 1 and now - float(created or now) > self._keep_seconds
        return "exhausted" if too_old or int(crashes or 0) >= self._max_attempts else "started"

    def is_cancelled(self) -> bool:
        """Return whether its cancellation was requested."""
        try:
            return bool(self._redis.hexists(self._key, "cancel"))
        except RedisError:
            return False

    def advance(self, progress: Progress) -> None:
        """Write the progress; raise JobLostError if the lease is lost, as all writes do."""
        fields: dict[JobField, str] = {"progress": _fraction(progress.share)}
        fields["stage"] = progress.stage
        fields["stage_progress"] = _fraction(progress.stage_share)
        if progress.diagnostics is not None:
            fields["diagnostics"] = progress.diagnostics.model_dump_json()
        try:
            now = _now(self._redis)
            remaining = self._remaining.seconds(progress.share, now)
            fields["estimated_end"] = "" if remaining is None else f"{now + remaining:.3f}"
            self._write(fields)
        except RedisError as error:
            # The sampler goes on; only the result must be written.
            _log.warning("progress.not_written", job_id=self._job_id, reason=str(error))

    def succeed(self, result: BayesianResult, draws: bytes) -> None:
        """Write the result, which ends the job."""
        fields: dict[JobField, str] = {"progress": "1", "status": "succeeded"}
        fields["result"] = result.model_dump_json()
        self._retried(lambda: self._write(fields, draws))

    def fail(self, problem: Problem) -> None:
        """Write the reason of the failure, which ends the job."""
        fields: dict[JobField, str] = {"problem": problem.model_dump_json(), "status": "failed"}
        self._retried(lambda: self._write(fields))

    def cancel(self) -> None:
        """Mark the job as cancelled."""
        self._retried(lambda: self._write({"status": "cancelled"}))

    def release(self, *, crashed: bool) -> None:
        """Release the lease of a job whose process is lost, and count it if the job crashed it."""

        def release(pipe: Any) -> None:
            status, worker = pipe.hmget(self._key, "status", "worker")
            now = _now(pipe)
            pipe.multi()
            if status == b"running" and worker == self._worker.encode():
                pipe.hincrby(self._key, "crashes", int(crashed))
                pipe.zadd(RUNNING_KEY, {self._job_id: now})

        self._retried(lambda: self._transaction(release))

    @contextmanager
    def lease_renewed(self) -> Iterator[None]:
        """Renew the lease in a background thread while the body runs."""
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(self._lease_seconds / _RENEWALS_PER_LEASE):
                try:
                    self._write({})
                except JobLostError:
                    pass  # the job finds out when it writes
                except RedisError as error:
                    _log.warning("lease.not_renewed", job_id=self._job_id, reason=str(error))

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _write(self, fields: dict[JobField, str], draws: bytes | None = None) -> None:
        """Write fields and renew the lease, or release it if the fields end the job."""

        def write(pipe: Any) -> None:
            status, worker = pipe.hmget(self._key, "status", "worker")
            if worker != self._worker.encode():
                raise JobLostError
            if status != b"running":
                # An earlier try may have been executed although its reply was lost.
                if status == fields.get("status", "").encode():
                    return
                raise JobLostError
            now = _now(pipe)
            pipe.multi()
            if "status" not in fields:
                pipe.zadd(RUNNING_KEY, {self._job_id: now + self._lease_seconds})
                if fields:
                    pipe.hset(self._key, mapping=fields)
                return
            if draws is not None:
                pipe.set(draws_key(self._job_id), draws)
            self._end(pipe, fields, now)

        self._transaction(write)

    def _end(self, pipe: Any, fields: dict[JobField, str], now: float) -> None:
        pipe.hset(self._key, mapping=fields)
        pipe.zrem(RUNNING_KEY, self._job_id)
        pipe.hdel(RESERVED_KEY, self._job_id)
        pipe.zadd(ENDED_KEY, {self._job_id: now + self._keep_seconds})

    def _transaction(self, change: Callable[[Any], Any]) -> Any:
        return self._redis.transaction(change, self._key, value_from_callable=True)

    def _retried(self, operation: Callable[[], _Result]) -> _Result:
        return self._retry.call_with_retry(operation, lambda _: None)


class Leases:
    """The leases of one worker; while Redis is unavailable they are left to expire."""

    def __init__(self, url: str, worker: str) -> None:
        self._url = url
        self._worker = worker

    def any(self) -> bool:
        """Return whether the worker holds a lease; False if Redis is unavailable."""
        with suppress(RedisError), connect(self._url) as redis:
            return bool(held(redis, self._worker))
        return False

    def release_all(self) -> None:
        """Let the leases expire now, so that the jobs are sent to other workers."""
        with suppress(RedisError), connect(self._url) as redis:
            for job_id in held(redis, self._worker):
                redis.zadd(RUNNING_KEY, {job_id: _now(redis)}, xx=True)


def held(redis: Redis, worker: str) -> list[str]:
    """Return the ids of the jobs whose leases a worker holds."""
    running: Any = redis.zrange(RUNNING_KEY, 0, -1)
    ids = [member.decode() for member in running]
    return [job_id for job_id in ids if redis.hget(job_key(job_id), "worker") == worker.encode()]


def _fraction(share: float | None) -> str:
    return "" if share is None else f"{min(max(share, 0.0), 1.0):.4f}"


def _now(redis: Any) -> float:
    seconds, microseconds = redis.time()
    return float(seconds) + 1e-6 * float(microseconds)


def connect(url: str) -> Redis:
    """Return a client of Redis whose commands and connections have a time limit."""
    return Redis.from_url(
        url,
        socket_connect_timeout=2.0,
        socket_timeout=10.0,
        # One retry, for a connection that Redis closed while it was idle.
        retry=Retry(NoBackoff(), 1),
    )
