"""Jobs as they lie in Redis, seen from the gateway: see `levy_schemas.jobs` for the names."""

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import orjson
from pydantic import BaseModel
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from levy_gateway.clients import NeighbourUnavailableError
from levy_schemas.jobs import (
    HEARD_SECONDS,
    TASK,
    WORKERS_KEY,
    BayesianResult,
    Diagnostics,
    JobState,
    JobStatus,
    QueueName,
    draws_key,
    idempotency_key,
    job_key,
)
from levy_schemas.messages import task_message
from levy_schemas.problems import Problem

_DELIVERED: Final = "unacked"
"""Messages that workers have, as Celery's transport keeps them."""
_MISSED_SECONDS: Final = 10
"""For so long a message may be nowhere; between a live worker's two commands are milliseconds."""
_RETRY_SECONDS: Final = 2
_FULL_RETRY_SECONDS: Final = 10
_JOB_ID: Final = re.compile(r"[0-9a-f]{32}")
_STATUS: Final = ("status", "progress", "diagnostics", "result", "problem", "owner")

_ACCEPT: Final = """
local lasting = tonumber(ARGV[4])
if ARGV[7] ~= '' then
    local known = redis.call('GET', KEYS[3])
    if known then return {'known', known} end
end
if redis.call('LLEN', KEYS[2]) >= tonumber(ARGV[5]) then return {'full', ''} end
redis.call('HSET', KEYS[1], 'status', 'queued', 'progress', '0', 'owner', ARGV[2],
    'queue', KEYS[2], 'message', ARGV[3])
redis.call('EXPIRE', KEYS[1], lasting)
redis.call('LPUSH', KEYS[2], ARGV[3])
if ARGV[7] ~= '' then redis.call('SET', KEYS[3], ARGV[1] .. ' ' .. ARGV[6], 'EX', lasting) end
return {'accepted', ''}
"""

_CANCEL: Final = """
local status = redis.call('HGET', KEYS[1], 'status')
if status == 'queued' then
    redis.call('HSET', KEYS[1], 'status', 'cancelled')
    local job = redis.call('HMGET', KEYS[1], 'queue', 'message')
    if job[1] and job[2] then redis.call('LREM', job[1], 1, job[2]) end
    redis.call('HDEL', KEYS[1], 'message')
elseif status == 'running' then
    redis.call('HSET', KEYS[1], 'cancel', '1')
end
return status
"""

_SEEK: Final = """
local job = redis.call('HMGET', KEYS[1], 'status', 'queue', 'message', 'missed')
if job[1] ~= 'queued' then return end
if redis.call('LPOS', job[2], job[3]) or redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then
    redis.call('HDEL', KEYS[1], 'missed')
    return
end
local now = redis.call('TIME')[1]
if not job[4] then
    redis.call('HSET', KEYS[1], 'missed', now)
elseif now - job[4] >= tonumber(ARGV[2]) then
    redis.call('RPUSH', job[2], job[3])
    redis.call('HDEL', KEYS[1], 'missed')
end
"""
"""Celery's transport takes a message by one command and notes it in `unacked` by another: a worker
that is killed between them takes the message along. One sent twice harms nobody: the job is fenced.
"""

_HEARD: Final = """
return redis.call('ZCOUNT', KEYS[1], redis.call('TIME')[1] - ARGV[1], '+inf')
"""

_Result = TypeVar("_Result")
_Read = TypeVar("_Read", bound=BaseModel)


class UnknownJobError(Exception):
    """There is no such job, or it is not the caller's."""

    code = "unknown-job"

    def __init__(self, job_id: str) -> None:
        self.message = f"No job of yours is called {job_id!r}."
        self.details: dict[str, object] = {}
        super().__init__(self.message)


class QueueFullError(Exception):
    """As many jobs wait as may."""

    code = "queue-full"

    def __init__(self, limit: int) -> None:
        self.message = f"{limit} jobs wait already, and no more may."
        self.details: dict[str, object] = {"limit": limit}
        self.retry_after_seconds = _FULL_RETRY_SECONDS
        super().__init__(self.message)


class IdempotencyConflictError(Exception):
    """The key was used for another request."""

    code = "idempotency-conflict"

    def __init__(self) -> None:
        self.message = "This Idempotency-Key came before, with another request."
        self.details: dict[str, object] = {}
        super().__init__(self.message)


class NoDrawsError(Exception):
    """The job has not succeeded, or its draws are no longer kept."""

    code = "no-draws"

    def __init__(self, status: JobState) -> None:
        gone = "Its draws are no longer kept." if status == "succeeded" else "It has no draws."
        self.message = f"This job counts as {status}. {gone}"
        self.details: dict[str, object] = {"job_status": status}
        super().__init__(self.message)


@dataclass(frozen=True)
class Submission:
    """What a client wants done.

    Attributes
    ----------
    owner : str
        Whose job it will be.
    payload : dict
        The request, checked, as JSON has it.
    digest : str
        Of what the request means.
    queue : str
        Where it waits.
    request_id : str
        Follows it to the worker.
    idempotency_key : str, optional
        Makes a second submission return the job of the first.
    """

    owner: str
    payload: dict[str, Any]
    digest: str
    queue: QueueName
    request_id: str
    idempotency_key: str | None = None


@dataclass(frozen=True)
class QueueLevel:
    """How full a queue is: jobs that wait, and the age of the next, 0 if none waits."""

    waiting: int
    oldest_seconds: float


class Jobs:
    """Makes jobs and tells of them.

    A job is made in one step: its record, its message and what its idempotency key stands for are
    there together or not at all, so that what was acknowledged is not lost.

    Parameters
    ----------
    redis : Redis
        Closed at the end.
    seconds : float
        The longest that a request waits for it.
    keep_seconds : int
        How long a job is kept that waits.
    queue_limit : int
        Jobs that may wait in each queue.
    """

    def __init__(
        self, redis: Redis, *, seconds: float, keep_seconds: int, queue_limit: int
    ) -> None:
        self._redis = redis
        self._seconds = seconds
        self._keep_seconds = keep_seconds
        self._queue_limit = queue_limit

    async def submit(self, submission: Submission) -> str:
        """Make a job, or find the one that the idempotency key made; its id.

        Raises
        ------
        QueueFullError, IdempotencyConflictError, NeighbourUnavailableError
            There is no job.
        """
        job_id = uuid.uuid4().hex
        message = task_message(
            TASK,
            (job_id, submission.payload),
            message_id=job_id,
            queue=submission.queue,
            headers={"request_id": submission.request_id, "created": time.time()},
        )
        key = submission.idempotency_key or ""
        outcome, known = await self._within(
            self._redis.eval(
                _ACCEPT,
                3,
                job_key(job_id),
                submission.queue,
                idempotency_key(submission.owner, key),
                *(job_id, submission.owner, message, self._keep_seconds, self._queue_limit),
                *(submission.digest, key),
            )
        )
        if outcome == b"full":
            raise QueueFullError(self._queue_limit)
        if outcome == b"known":
            job_id, _, digest = known.decode().partition(" ")
            if digest != submission.digest:
                raise IdempotencyConflictError
        return job_id

    async def status(self, job_id: str, owner: str) -> JobStatus:
        """How a job stands; one that waits, but whose message a dead worker took, waits again.

        Raises
        ------
        UnknownJobError, NeighbourUnavailableError
        """
        self._require_well_formed(job_id)
        found = await self._within(self._redis.hmget(job_key(job_id), _STATUS))
        status, progress, diagnostics, result, problem, whose = found
        if status is None or (whose or b"").decode() != owner:
            raise UnknownJobError(job_id)
        if status == b"queued":
            keys = (job_key(job_id), _DELIVERED)
            await self._within(self._redis.eval(_SEEK, 2, *keys, job_id, _MISSED_SECONDS))
        return JobStatus(
            job_id=job_id,
            status=status.decode(),
            progress=float(progress or 0.0),
            diagnostics=_read(Diagnostics, diagnostics),
            result=_read(BayesianResult, result),
            problem=_read(Problem, problem),
        )

    async def cancel(self, job_id: str, owner: str) -> JobStatus:
        """End a job: at once if it waits, between two blocks of draws if it runs; how it stands.

        Raises
        ------
        UnknownJobError, NeighbourUnavailableError
        """
        await self.status(job_id, owner)
        await self._within(self._redis.eval(_CANCEL, 1, job_key(job_id)))
        return await self.status(job_id, owner)

    async def draws(self, job_id: str, owner: str) -> bytes:
        """InferenceData of a job that succeeded, as netCDF.

        Raises
        ------
        UnknownJobError, NoDrawsError, NeighbourUnavailableError
        """
        found = await self.status(job_id, owner)
        draws: bytes | None = await self._within(self._redis.get(draws_key(job_id)))
        if found.status != "succeeded" or draws is None:
            raise NoDrawsError(found.status)
        return draws

    async def level(self, queue: QueueName) -> QueueLevel:
        """How full a queue is.

        Raises
        ------
        NeighbourUnavailableError
        """
        waiting = await self._within(self._redis.llen(queue))
        oldest = await self._within(self._redis.lindex(queue, -1))
        if oldest is None:
            return QueueLevel(waiting, 0.0)
        created = orjson.loads(oldest).get("headers", {}).get("created", time.time())
        return QueueLevel(waiting, max(0.0, time.time() - created))

    async def workers(self) -> int:
        """Workers that were heard of lately.

        Raises
        ------
        NeighbourUnavailableError
        """
        heard = await self._within(self._redis.eval(_HEARD, 1, WORKERS_KEY, HEARD_SECONDS))
        return int(heard)

    async def close(self) -> None:
        """Give the connections back."""
        await self._redis.aclose()

    async def _within(self, work: Awaitable[Any]) -> Any:
        try:
            async with asyncio.timeout(self._seconds):
                return await work
        except (RedisError, OSError) as error:
            raise NeighbourUnavailableError("jobs", _RETRY_SECONDS) from error

    @staticmethod
    def _require_well_formed(job_id: str) -> None:
        if not _JOB_ID.fullmatch(job_id):
            raise UnknownJobError(job_id)


def _read(kind: type[_Read], text: bytes | None) -> _Read | None:
    return None if text is None else kind.model_validate_json(text)


def connect(url: str, seconds: float) -> Redis:
    """Open Redis for jobs; none of its commands waits longer than that."""
    return Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        # Once anew, for a connection that Redis closed while it was idle.
        retry=Retry(NoBackoff(), 1),
    )
