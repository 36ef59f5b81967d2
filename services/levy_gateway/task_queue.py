"""Celery's client: sends tasks with the ids of the jobs to run."""

import asyncio
from typing import Final

import structlog
from celery import Celery
from kombu.exceptions import KombuError

from levy_schemas.jobs import TASK, QueueName, broker_url

_ATTEMPTS: Final = 2
"""The second is for a connection that Redis closed while it was idle."""
_log = structlog.get_logger()


class TaskQueue:
    """Send tasks by name, off the event loop and within a time limit.

    Parameters
    ----------
    url : str
        URL of Redis, which is Celery's broker.
    timeout_seconds : float
        Time limit of one message.
    """

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._app = Celery("levy_gateway", broker=broker_url(url), set_as_current=False)
        # Without these, Celery's client waits forever for an unavailable broker.
        retries = {"max_retries": _ATTEMPTS - 1, "interval_start": 0, "interval_step": 0}
        self._app.conf.update(
            broker_connection_timeout=timeout_seconds,
            broker_transport_options={
                **retries,
                "socket_timeout": timeout_seconds,
                "socket_connect_timeout": timeout_seconds,
            },
            task_ignore_result=True,
            task_publish_retry_policy=retries,
        )

    async def send(self, job_id: str, queue: QueueName) -> bool:
        """Send the task of a job; return False if the broker did not accept it in time."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await asyncio.to_thread(
                    self._app.send_task, TASK, args=[job_id], queue=queue, ignore_result=True
                )
        except (KombuError, OSError) as error:
            _log.warning("task.not_sent", job_id=job_id, queue=queue, reason=str(error))
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.to_thread(self._app.close)
