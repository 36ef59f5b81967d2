"""Jobs as they lie in Redis: see `levy_schemas.jobs` for the names.

Whoever runs a job holds its lease, and renews it while it lives. A job whose lease ran out may be
taken over; whoever lost it can no longer write, so that a job that is delivered twice ends once.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, Protocol

import structlog
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from levy_bayesian.progress import Standing
from levy_schemas.jobs import BayesianResult, JobField, draws_key, job_key, lease_key
from levy_schemas.problems import Problem

Begun = Literal["begun", "over", "held", "worn"]
"""Whether a job may be run: yes; it has ended; another runs it; it ended too many processes."""

_UNACKED: Final = "unacked_index"
"""Where Celery's transport notes when messages were delivered."""
_RENEWALS: Final = 5
"""In the time of a lease."""
_RETRIES: Final = 60
_LONGEST_PAUSE_SECONDS: Final = 1.0

_log = structlog.get_logger()

_BEGIN: Final = """
local status = redis.call('HGET', KEYS[1], 'status')
if status ~= 'queued' and status ~= 'running' then return 'over' end
if redis.call('HEXISTS', KEYS[1], 'cancel') == 1 then
    redis.call('HSET', KEYS[1], 'status', 'cancelled')
    return 'over'
end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return 'held' end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
redis.call('HSET', KEYS[1], 'status', 'running', 'progress', '0')
redis.call('HDEL', KEYS[1], 'message', 'diagnostics')
redis.call('EXPIRE', KEYS[1], ARGV[3])
if redis.call('HINCRBY', KEYS[1], 'attempts', 1) > tonumber(ARGV[4]) then return 'worn' end
return 'begun'
"""

_WRITE: Final = """
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return 0 end
if redis.call('HGET', KEYS[1], 'status') ~= 'running' then return 0 end
for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[3])
if redis.call('HGET', KEYS[1], 'status') == 'running' then
    redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
else
    redis.call('DEL', KEYS[2])
end
return 1
"""

_KEEP: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""


class JobLostError(Exception):
    """Another worker has taken the job over, or it has expired."""


class Job(Protocol):
    """One job, as its handler sees it."""

    def begin(self) -> Begun:
        """Mark it as running, if it may be run."""

    def is_cancelled(self) -> bool:
        """Whether somebody asked to end it."""

    def advance(self, standing: Standing) -> None:
        """Tell how far it is; JobLostError if it is no longer ours, as from the others below."""

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
    worker : str
        Who runs it; the same after its process was replaced.
    lease_seconds : int
        How long after its worker was last heard it may be taken over.
    keep_seconds : int
        How long what it found is kept.
    max_attempts : int
        How often it is begun; a job that ends every process that takes it is not tried for ever.
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
    ) -> None:
        self._redis = redis
        self._job_id = job_id
        self._worker = worker
        self._lease_seconds = lease_seconds
        self._keep_seconds = keep_seconds
        self._max_attempts = max_attempts
        self._keys = [job_key(job_id), lease_key(job_id)]

    def begin(self) -> Begun:
        script = self._redis.register_script(_BEGIN)
        limits = [self._lease_seconds, self._keep_seconds, self._max_attempts]
        found: bytes = script(self._keys, [self._worker, *limits])
        return found.decode()  # type: ignore[return-value] # the script says one of them

    def is_cancelled(self) -> bool:
        return bool(self._redis.hexists(job_key(self._job_id), "cancel"))

    def advance(self, standing: Standing) -> None:
        fields: dict[JobField, str] = {"progress": f"{min(max(standing.share, 0.0), 1.0):.4f}"}
        if standing.diagnostics is not None:
            fields["diagnostics"] = standing.diagnostics.model_dump_json()
        self._write(fields)

    def succeed(self, result: BayesianResult, draws: bytes) -> None:
        # The draws first: whoever reads "succeeded" finds them.
        self.advance(Standing(1.0))
        self._redis.set(draws_key(self._job_id), draws, ex=self._keep_seconds)
        self._write({"result": result.model_dump_json(), "status": "succeeded"})

    def fail(self, problem: Problem) -> None:
        self._write({"problem": problem.model_dump_json(), "status": "failed"})

    def cancel(self) -> None:
        self._write({"status": "cancelled"})

    @contextmanager
    def held(self, delivery_tag: str | None) -> Iterator[None]:
        """Renew lease and delivery, in a thread beside, for as long as the work takes.

        Parameters
        ----------
        delivery_tag : str, optional
            Of the message; Celery's transport hands it to another when it looks forgotten.
        """
        ended = threading.Event()

        def renew() -> None:
            keep = self._redis.register_script(_KEEP)
            while not ended.wait(self._lease_seconds / _RENEWALS):
                try:
                    keep(self._keys[1:], [self._worker, self._lease_seconds])
                    if delivery_tag is not None:
                        self._redis.zadd(_UNACKED, {delivery_tag: time.time()}, xx=True)
                except RedisError as error:
                    _log.warning("lease.not_renewed", job_id=self._job_id, reason=str(error))

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _write(self, fields: dict[JobField, str]) -> None:
        script = self._redis.register_script(_WRITE)
        flat = [each for field in fields.items() for each in field]
        limits = [self._lease_seconds, self._keep_seconds]
        if not script(self._keys, [self._worker, *limits, *flat]):
            raise JobLostError


class Leases:
    """All leases of one worker.

    Parameters
    ----------
    url : str
        Of Redis.
    worker : str
        Who holds them.
    """

    def __init__(self, url: str, worker: str) -> None:
        self._url = url
        self._worker = worker

    def any(self) -> bool:
        """Whether a job runs; False if Redis does not say."""
        try:
            with connect(self._url, retries=0) as redis:
                return bool(self._held(redis))
        except RedisError:
            return False

    def give_up(self) -> None:
        """Let others take over at once what is left undone; without Redis, leases just end."""
        try:
            with connect(self._url, retries=0) as redis:
                for key in self._held(redis):
                    redis.delete(key)
        except RedisError as error:
            _log.warning("leases.not_given_up", reason=str(error))

    def _held(self, redis: Redis) -> list[bytes]:
        mine = self._worker.encode()
        return [key for key in redis.scan_iter(lease_key("*")) if redis.get(key) == mine]


def connect(url: str, retries: int = _RETRIES) -> Redis:
    """Open Redis for a worker, which has a minute's patience while it restarts."""
    return Redis.from_url(
        url,
        socket_connect_timeout=2.0,
        socket_timeout=10.0,
        retry=Retry(
            ExponentialBackoff(cap=_LONGEST_PAUSE_SECONDS, base=0.05),
            retries,
            supported_errors=(RedisConnectionError, RedisTimeoutError, OSError),
        ),
    )
