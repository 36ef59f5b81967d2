"""The gateway's side of the job store: see `levy_schemas.jobs` for the keys."""

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, TypeVar

import orjson
import structlog
from pydantic import BaseModel
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from levy_gateway.clients import UpstreamUnavailableError
from levy_schemas.jobs import (
    ENDED_KEY,
    ENGINES_KEY,
    HEARTBEAT_TIMEOUT_SECONDS,
    QUEUE_OF,
    QUEUES,
    RESERVED_KEY,
    RUNNING_KEY,
    WORKERS_KEY,
    BayesianRequest,
    BayesianResult,
    Diagnostics,
    Engine,
    JobStatus,
    QueueName,
    draws_key,
    engine_not_installed,
    idempotency_key,
    job_key,
    queued_key,
    result_bytes,
)
from levy_schemas.problems import Problem
from levy_service.problems import ProblemError

_TURN_KEY: Final = "levy:maintenance"
"""Set by the gateway whose turn the periodic step is, until the next turn."""
_MAX_RESEND_SECONDS: Final = 3600.0
_RETRY_SECONDS: Final = 2
_USABLE_MEMORY: Final = 0.9
"""Fraction of Redis' `maxmemory` that jobs may use; the rest is for buffers and the queues."""
_HEALTH_KEY: Final = "levy:health"
_JOB_ID: Final = re.compile(r"[0-9a-f]{32}")
_DUE: Final = ("queue", "send_after")
_STATUS: Final = ("status", "progress", "diagnostics", "result", "problem", "owner")
_STAGE: Final = ("created", "started", "queue", "stage", "stage_progress", "estimated_end")

_log = structlog.get_logger()
_Model = TypeVar("_Model", bound=BaseModel)

Send = Callable[[str, QueueName], Awaitable[bool]]
"""Sends a job's task to a queue, and returns whether the broker accepted it."""


class UnknownJobError(ProblemError):
    """The job does not exist, or belongs to another owner."""

    code = "unknown-job"


class QueueFullError(ProblemError):
    """The queue, or the memory of the job store, has reached its limit."""

    code = "queue-full"
    retry_after_seconds = 10


class JobStoreError(UpstreamUnavailableError):
    """Redis is unreachable or too slow, or rejects writes."""

    def __init__(self, cause: Exception) -> None:
        super().__init__("jobs", _RETRY_SECONDS)
        self.rejects_writes = isinstance(cause, ResponseError)
        if self.rejects_writes:
            self.message = "The job store rejects writes. Retry later."


class IdempotencyConflictError(ProblemError):
    """The idempotency key was used for another request."""

    code = "idempotency-conflict"


class EngineNotInstalledError(ProblemError):
    """No worker that runs has the engine installed."""

    code = "unsupported"


class NoDrawsError(ProblemError):
    """The job has not succeeded, or its draws have been deleted."""

    code = "no-draws"


@dataclass(frozen=True)
class QueueLevel:
    """Number of jobs waiting in a queue, and the age of the oldest in seconds (0 if none)."""

    waiting: int
    oldest_seconds: float


class JobStore:
    """Create, read, cancel and delete job records.

    Every change of a record and of the indexes is one transaction: Redis executes all of it or
    nothing, and an accepted job is therefore in an index from which it is found again. Every
    method raises JobStoreError if Redis is unreachable, too slow, or rejects it.

    Parameters
    ----------
    redis : Redis
        Client, closed by `close`.
    timeout_seconds : float
        Time limit of one operation.
    keep_seconds : float
        Time after which a job that no worker took is deleted.
    queue_limit : int
        Maximum number of jobs waiting in each queue.
    queue_limit_per_key : int
        Maximum number of them that belong to one API key.
    resend_seconds : float
        Time after which the task of a queued job is sent again; later intervals double.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        timeout_seconds: float,
        keep_seconds: float,
        queue_limit: int,
        queue_limit_per_key: int,
        resend_seconds: float,
    ) -> None:
        self._redis = redis
        self._timeout_seconds = timeout_seconds
        self._keep_seconds = keep_seconds
        self._queue_limit = queue_limit
        self._queue_limit_per_key = queue_limit_per_key
        self._resend_seconds = resend_seconds

    async def create(
        self, request: BayesianRequest, *, owner: str, request_id: str, key: str | None
    ) -> tuple[str, bool]:
        """Create a job.

        Parameters
        ----------
        request : BayesianRequest
        owner : str
            Holder of the API key.
        request_id : str
            Id of the HTTP request, for the worker's logs.
        key : str, optional
            Idempotency key: a second request with the same key returns the job of the first.

        Returns
        -------
        str
            The job's id.
        bool
            False if the idempotency key created the job earlier.

        Raises
        ------
        QueueFullError, IdempotencyConflictError, EngineNotInstalledError
        """
        job_id = uuid.uuid4().hex
        link = idempotency_key(owner, key) if key else ""
        queue, needed = QUEUE_OF[request.engine], result_bytes(request)
        content = orjson.dumps(
            request.model_dump(mode="json", exclude_none=True), option=orjson.OPT_SORT_KEYS
        )
        record: dict[str, str | bytes | float] = {"status": "queued", "owner": owner}
        record |= {"queue": queue, "request": content, "request_id": request_id, "progress": 0}
        record |= {"digest": sha256(content).hexdigest(), "idempotency": link}

        async def create(pipe: Any) -> tuple[str, bool]:
            earlier = await pipe.get(link) if link else None
            digest = await pipe.hget(job_key(earlier.decode()), "digest") if earlier else None
            if earlier and digest:
                if digest.decode() != record["digest"]:
                    raise IdempotencyConflictError(
                        "Idempotency-Key was already used with a different request body."
                    )
                return earlier.decode(), False
            if (engines := await _engines(pipe)) and request.engine not in engines:
                message = engine_not_installed(request.engine, engines)
                raise EngineNotInstalledError(message, pointer="/engine")
            await self._require_room(pipe, queue, owner)
            await _require_memory(pipe, needed)
            now = await _now(pipe)
            times = {"created": now, "send_after": now + self._resend_seconds}
            pipe.multi()
            pipe.hset(job_key(job_id), mapping=record | times)
            pipe.zadd(queued_key(queue), {job_id: now})
            pipe.hset(RESERVED_KEY, job_id, needed)
            if link:
                pipe.set(link, job_id)
            return job_id, True

        watched = (queued_key(queue), link) if link else (queued_key(queue),)
        result: tuple[str, bool] = await self._transaction(create, *watched)
        return result

    async def _require_room(self, pipe: Any, queue: QueueName, owner: str) -> None:
        limit = self._queue_limit
        if await pipe.zcard(queued_key(queue)) >= limit:
            raise QueueFullError(
                f"The queue is full: {limit} jobs are waiting. Retry later.", limit=limit
            )
        if not owner:
            return
        limit = self._queue_limit_per_key
        # One round trip; SORT … GET would need permission to read every key.
        async with self._redis.pipeline(transaction=False) as reads:
            for waiting in await pipe.zrange(queued_key(queue), 0, -1):
                reads.hget(job_key(waiting.decode()), "owner")
            owners = await reads.execute()
        if owners.count(owner.encode()) >= limit:
            message = (
                f"{limit} jobs of this API key are waiting, its share of the queue. Retry later."
            )
            raise QueueFullError(message, limit=limit)

    async def status(self, job_id: str, owner: str) -> JobStatus:
        """Return the status of a job.

        Raises
        ------
        UnknownJobError
        """
        if not _JOB_ID.fullmatch(job_id):
            raise UnknownJobError(f"Job {job_id!r} not found for this API key.")
        fields = await self._within(self._redis.hmget(job_key(job_id), (*_STATUS, *_STAGE)))
        status, progress, diagnostics, result, problem, holder = fields[: len(_STATUS)]
        if status is None or (holder or b"").decode() != owner:
            raise UnknownJobError(f"Job {job_id!r} not found for this API key.")
        return JobStatus(
            job_id=job_id,
            status=status.decode(),
            progress=float(progress or 0.0),
            diagnostics=_parse(Diagnostics, diagnostics),
            result=_parse(BayesianResult, result),
            problem=_parse(Problem, problem),
            **await self._stage(job_id, status.decode(), fields[len(_STATUS) :]),
        )

    async def _stage(
        self, job_id: str, status: str, fields: Sequence[bytes | None]
    ) -> dict[str, Any]:
        """Return what the job does now, its times, and its place in the queue."""
        created, started, queue, stage, stage_progress, end = fields
        reply: dict[str, Any] = {"created_at": _time(created), "started_at": _time(started)}
        if status == "queued" and queue:
            rank = await self._within(self._redis.zrank(queued_key(queue.decode()), job_id))
            position = None if rank is None else rank + 1
            return reply | {"stage": "queued", "queue_position": position}
        if status != "running" or not stage:
            return reply
        now = await self._within(_now(self._redis)) if end else 0.0
        return reply | {
            "stage": stage.decode(),
            "stage_progress": float(stage_progress) if stage_progress else None,
            "remaining_seconds": max(0.0, float(end) - now) if end else None,
        }

    async def cancel(self, job_id: str, owner: str) -> JobStatus:
        """Cancel a job, at once if queued, at its next block of draws if running.

        Raises
        ------
        UnknownJobError
        """
        await self.status(job_id, owner)
        key = job_key(job_id)

        async def cancel(pipe: Any) -> None:
            status, queue = await pipe.hmget(key, "status", "queue")
            now = await _now(pipe)
            pipe.multi()
            if status == b"queued":
                pipe.hset(key, "status", "cancelled")
                pipe.zrem(queued_key(queue.decode()), job_id)
                pipe.hdel(RESERVED_KEY, job_id)
                pipe.zadd(ENDED_KEY, {job_id: now + self._keep_seconds})
            elif status == b"running":
                pipe.hset(key, "cancel", 1)

        await self._transaction(cancel, key)
        return await self.status(job_id, owner)

    async def draws(self, job_id: str, owner: str) -> bytes:
        """Return the InferenceData of a job that succeeded, as netCDF.

        Raises
        ------
        UnknownJobError, NoDrawsError
        """
        job = await self.status(job_id, owner)
        draws: bytes | None = await self._within(self._redis.get(draws_key(job_id)))
        if job.status != "succeeded" or draws is None:
            raise NoDrawsError(
                f"Job status is {job.status}; no draws available.", job_status=job.status
            )
        return draws

    async def level(self, queue: QueueName) -> QueueLevel:
        """Return how full a queue is."""
        waiting = await self._within(self._redis.zcard(queued_key(queue)))
        oldest = await self._within(self._redis.zrange(queued_key(queue), 0, 0, withscores=True))
        now = await self._within(_now(self._redis))
        return QueueLevel(waiting, max(0.0, now - oldest[0][1]) if oldest else 0.0)

    async def workers(self) -> int:
        """Return the number of workers with a recent heartbeat."""
        now = await self._within(_now(self._redis))
        since = now - HEARTBEAT_TIMEOUT_SECONDS
        return int(await self._within(self._redis.zcount(WORKERS_KEY, since, "+inf")))

    async def engines(self) -> tuple[Engine, ...]:
        """Return the engines that the running workers have installed; none while none runs."""
        return await self._within(_engines(self._redis))  # type: ignore[no-any-return]

    async def require_writable(self) -> None:
        """Raise JobStoreError unless Redis accepts writes."""
        await self._within(self._redis.set(_HEALTH_KEY, 1, px=1000))

    async def take_turn(self, seconds: float) -> bool:
        """Return whether this gateway runs the periodic step now; one does in so many seconds."""
        milliseconds = round(1000 * seconds)
        return bool(await self._within(self._redis.set(_TURN_KEY, 1, nx=True, px=milliseconds)))

    async def resend(self, send: Send) -> int:
        """Send the tasks of jobs that are waiting for a worker again; return their number.

        These are queued jobs whose message may have been lost, and running jobs whose lease has
        expired. The interval grows with the job's age, so that a long queue is not flooded; a
        duplicate is dropped by the worker.
        """
        now = await self._within(_now(self._redis))
        sent = 0
        for index in (RUNNING_KEY, *map(queued_key, QUEUES)):
            # A score is the time since when a worker is missing: of creation, or of expiry.
            waiting = self._redis.zrangebyscore(index, "-inf", now, withscores=True)
            for member, since in await self._within(waiting):
                if now - since > self._keep_seconds:
                    await self._delete(member.decode())
                    continue
                key, job_id = job_key(member.decode()), member.decode()
                queue, send_after = await self._within(self._redis.hmget(key, *_DUE))
                if send_after is None or float(send_after) > now:
                    continue
                if not await send(job_id, queue.decode()):
                    return sent
                pause = min(max(now - since, self._resend_seconds), _MAX_RESEND_SECONDS)
                await self._within(self._redis.hset(key, "send_after", now + pause))
                sent += 1
        return sent

    async def delete_expired(self) -> None:
        """Delete jobs that ended long enough ago."""
        now = await self._within(_now(self._redis))
        for job_id in await self._within(self._redis.zrangebyscore(ENDED_KEY, "-inf", now)):
            await self._delete(job_id.decode())

    async def _delete(self, job_id: str) -> None:
        async def delete(pipe: Any) -> bytes | None:
            status, link = await pipe.hmget(job_key(job_id), "status", "idempotency")
            pipe.multi()
            pipe.delete(job_key(job_id), draws_key(job_id), *([link] if link else []))
            for index in (ENDED_KEY, RUNNING_KEY, *map(queued_key, QUEUES)):
                pipe.zrem(index, job_id)
            pipe.hdel(RESERVED_KEY, job_id)
            return status  # type: ignore[no-any-return] # the pipeline's results are untyped

        status = await self._transaction(delete, job_key(job_id))
        _log.info("job.deleted", job_id=job_id, status=(status or b"unknown").decode())

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _transaction(self, change: Callable[[Any], Awaitable[Any]], *watched: str) -> Any:
        return await self._within(
            self._redis.transaction(change, *watched, value_from_callable=True)
        )

    async def _within(self, operation: Awaitable[Any]) -> Any:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await operation
        except (RedisError, OSError) as error:
            raise JobStoreError(error) from error


async def _now(redis: Any) -> float:
    seconds, microseconds = await redis.time()
    return float(seconds) + 1e-6 * float(microseconds)


async def _require_memory(redis: Any, needed: int) -> None:
    """Require memory for a job's result, besides those of all unfinished jobs.

    Otherwise workers could write neither results nor leases, and no job would end.
    """
    memory = await redis.info("memory")
    if not memory["maxmemory"]:
        return
    used = memory["used_memory"] - memory["mem_not_counted_for_evict"]
    reserved = sum(map(int, await redis.hvals(RESERVED_KEY)))
    if used + reserved + needed > _USABLE_MEMORY * memory["maxmemory"]:
        raise QueueFullError("The memory of the job store is full. Retry later.")


async def _engines(redis: Any) -> tuple[Engine, ...]:
    since = await _now(redis) - HEARTBEAT_TIMEOUT_SECONDS
    names = {name.decode() for name in await redis.zrangebyscore(ENGINES_KEY, since, "+inf")}
    return tuple(engine for engine in QUEUE_OF if engine in names)


def _time(seconds: bytes | None) -> datetime | None:
    return datetime.fromtimestamp(float(seconds), UTC) if seconds else None


def _parse(model: type[_Model], text: bytes | None) -> _Model | None:
    return None if text is None else model.model_validate_json(text)


def connect(url: str, timeout_seconds: float) -> Redis:
    """Return a client of Redis whose commands and connections have a time limit."""
    return Redis.from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        # One retry, for a connection that Redis closed while it was idle.
        retry=Retry(NoBackoff(), 1),
    )
