"""Which networks answer now: results of others are out of date."""

import time
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from pydantic import ValidationError

from levy_gateway.clients import Neighbour, NeighbourFailedError, NeighbourUnavailableError
from levy_schemas.networks import ServedNetworks
from levy_service.work import DeadlineError

_FRESH_SECONDS: Final = 2.0
"""How long after a switch of networks an answer of the former one may still be found."""


class Versions:
    """Knows what the calibration service serves, as of at most `_FRESH_SECONDS` ago.

    Parameters
    ----------
    calibration : Neighbour
        Who is asked.
    seconds : float
        The longest to wait for it.
    clock : callable
        Seconds that never run backwards.
    """

    def __init__(
        self,
        calibration: Neighbour,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.last: ServedNetworks | None = None
        self._calibration = calibration
        self._seconds = seconds
        self._clock = clock
        self._asked_at = -float("inf")
        self._version: str | None = None

    async def refresh(self) -> None:
        """Ask again if it was long ago; `last` stays what it was while nobody answers."""
        now = self._clock()
        if now - self._asked_at <= _FRESH_SECONDS:
            return
        # Requests that come meanwhile go on with what was known before.
        self._asked_at = now
        served = await self._ask()
        self._version = None if served is None else _name_of(served)
        self.last = served or self.last

    async def current(self) -> str | None:
        """One name for everything served; None while nobody says."""
        await self.refresh()
        return self._version

    async def _ask(self) -> ServedNetworks | None:
        try:
            reply = await self._calibration.ask("GET", "/networks", seconds=self._seconds)
            return ServedNetworks.model_validate_json(reply.body) if reply.status == 200 else None
        except (NeighbourUnavailableError, NeighbourFailedError, DeadlineError, ValidationError):
            return None


def _name_of(served: ServedNetworks) -> str:
    return sha256(served.model_dump_json().encode()).hexdigest()[:16]
