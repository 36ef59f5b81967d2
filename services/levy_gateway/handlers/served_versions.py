"""Versions of the networks in use, which determine whether a cached result is current."""

import time
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from pydantic import ValidationError

from levy_gateway.clients import Upstream, UpstreamError
from levy_schemas.networks import ServedNetworks
from levy_service.work import DeadlineError

_FRESH_SECONDS: Final = 2.0
"""Time after a promotion during which cached results of the previous network are returned."""


class ServedVersionsPoller:
    """Poll the networks of the calibration service, at most once in `_FRESH_SECONDS`.

    Parameters
    ----------
    calibration : Upstream
    seconds : float
        Time limit of a poll.
    clock : callable
        A monotonic clock, in seconds.
    """

    def __init__(
        self,
        calibration: Upstream,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.last: ServedNetworks | None = None
        self._calibration = calibration
        self._seconds = seconds
        self._clock = clock
        self._polled_at = -float("inf")
        self._version: str | None = None

    async def refresh(self) -> None:
        """Poll if the last response is old; an unavailable service leaves `last` unchanged."""
        now = self._clock()
        if now - self._polled_at <= _FRESH_SECONDS:
            return
        # Set before the poll: concurrent requests use the previous version meanwhile.
        self._polled_at = now
        served = await self._poll()
        self._version = None if served is None else _version_of(served)
        self.last = served or self.last

    async def current(self) -> str | None:
        """Return one version for all networks, or None while the service is unavailable."""
        await self.refresh()
        return self._version

    async def _poll(self) -> ServedNetworks | None:
        try:
            reply = await self._calibration.request("GET", "/networks", seconds=self._seconds)
            return ServedNetworks.model_validate_json(reply.body) if reply.status == 200 else None
        except (UpstreamError, DeadlineError, ValidationError):
            return None


def _version_of(served: ServedNetworks) -> str:
    return sha256(served.model_dump_json(exclude={"skipped"}).encode()).hexdigest()[:16]
