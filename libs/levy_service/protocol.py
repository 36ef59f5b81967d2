"""HTTP/1.1 with limits on the size and duration of requests, and on the number of connections."""

import asyncio
import resource
import time
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Any, Final

import structlog
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from levy_schemas.headers import REQUEST_ID
from levy_service import request_id
from levy_service.problems import problem_response
from levy_service.security_headers import with_security_headers
from levy_service.settings import ServiceSettings

MAX_HEADERS: Final = 100
_CHECK_SECONDS: Final = 1.0
_ACTIVE_SECONDS: Final = 1.0
_log = structlog.get_logger()


class _Phase(IntEnum):
    """What a connection waits for: up to BODY, for its client."""

    IDLE = 0
    HEADERS = 1
    BODY = 2
    SENDING = 3
    BUSY = 4


@dataclass(frozen=True)
class Limits:
    """Limits of connections and requests.

    Attributes
    ----------
    header_bytes : int
        Size of the request line and the headers.
    header_seconds, body_seconds, keep_alive_seconds : float
        Time for complete headers, for the complete body, and between requests. A response that the
        client does not read is limited as a body is.
    connections, connections_per_address : int
        Number of connections of a process.
    """

    header_bytes: int
    header_seconds: float
    body_seconds: float
    keep_alive_seconds: float
    connections: int
    connections_per_address: int

    @classmethod
    def of(cls, settings: ServiceSettings) -> "Limits":
        """Return the limits of a service; half of the file descriptors remain for other uses."""
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls(
            settings.header_bytes,
            settings.header_seconds,
            settings.body_seconds,
            settings.keep_alive_seconds,
            min(settings.client_connections, max(1, descriptors // 2)),
            settings.client_connections_per_address,
        )


class LimitedProtocol(HttpToolsProtocol):
    """A connection with limits, which reports malformed HTTP as a problem.

    Parameters
    ----------
    limits : Limits
    arguments
        Those of uvicorn's protocol.
    """

    def __init__(self, *arguments: Any, limits: Limits, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limits = limits
        self._phase = _Phase.IDLE
        self._since = self._deadline = 0.0
        self._begun = 0
        self._header_bytes = 0
        self._check: asyncio.TimerHandle | None = None
        shortest = min(limits.header_seconds, limits.body_seconds, limits.keep_alive_seconds)
        self._check_seconds = min(_CHECK_SECONDS, shortest / 4.0)

    # A connection, which must not exceed the number of connections.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._enter(_Phase.IDLE, self._limits.header_seconds)
        self._check = self.loop.call_later(self._check_seconds, self._check_deadline)
        if len(self.connections) > self._limits.connections_per_address and self.client:
            others: set[Any] = self.connections
            here = [c for c in others if c.client and c.client[0] == self.client[0]]
            if len(here) > self._limits.connections_per_address:
                self._make_room(here)
        if len(self.connections) > self._limits.connections:
            self._make_room(list(self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._check is not None:
            self._check.cancel()

    def _make_room(self, connections: list[Any]) -> None:
        """Close an idle connection, or an incomplete request, or this connection if none waits."""
        waiting = (c for c in connections if c._phase < _Phase.SENDING and c is not self)
        victim = min(waiting, key=LimitedProtocol._worth, default=self)
        self.connections.discard(victim)
        victim.displace(self is victim)

    def _worth(self) -> tuple[int, float]:
        """Return a key by which idle connections come first, then requests, the oldest first.

        Connections between two requests of an active client come last.
        """
        active = time.monotonic() - self._since < _ACTIVE_SECONDS
        rank = 1 if self._phase is not _Phase.IDLE else 2 if active else 0
        return rank, self._since

    def displace(self, new: bool) -> None:
        """Close this connection in favour of others."""
        if new or self._phase > _Phase.IDLE:
            self._refuse("overloaded", "Too many connections are open.")
        if new:
            self.transport.close()
        else:
            self.transport.abort()

    # Time.

    def _enter(self, phase: _Phase, seconds: float = float("inf")) -> None:
        self._phase = phase
        self._since = time.monotonic()
        self._deadline = self._since + seconds

    def _check_deadline(self) -> None:
        if time.monotonic() >= self._deadline and not self.flow.read_paused:
            self._expire()
        else:
            self._check = self.loop.call_later(self._check_seconds, self._check_deadline)

    def _expire(self) -> None:
        if self._phase in (_Phase.HEADERS, _Phase.BODY):
            missing = self._phase.name.lower()
            self._refuse("request-timeout", f"The {missing} did not arrive in time.")
        self.transport.abort()

    # Phases, from the parser and from responses.

    def data_received(self, data: bytes) -> None:
        before, begun = self._phase, self._begun
        if before is _Phase.IDLE:
            self._header_bytes = 0
            self._enter(_Phase.HEADERS, self._limits.header_seconds)
        super().data_received(data)
        if self._phase is not _Phase.HEADERS or self.transport.is_closing():
            return
        # The parser reports headers only when they are complete. A chunk counts if it consists of
        # headers of one request, not of the end of an earlier one.
        if before <= _Phase.HEADERS and self._begun - begun <= 1:
            self._header_bytes += len(data)
        n_headers = len(self.headers or ())
        if self._header_bytes > self._limits.header_bytes or n_headers > MAX_HEADERS:
            self._refuse_headers()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun += 1
        if self._phase is not _Phase.HEADERS:
            self._header_bytes = 0
            self._enter(_Phase.HEADERS, self._limits.header_seconds)

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self._limits.header_bytes or len(self.headers) > MAX_HEADERS:
            self._refuse_headers()
            return
        super().on_headers_complete()
        self._enter(_Phase.BODY, self._limits.body_seconds)

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.transport.is_closing():
            super().on_message_complete()
            self._await_response()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._phase is _Phase.BUSY:
            self._await_response()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._phase is _Phase.BUSY:
            self._enter(_Phase.SENDING, self._limits.body_seconds)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._phase is _Phase.SENDING:
            self._await_response()

    def _await_response(self) -> None:
        if self.cycle.response_complete:
            self._enter(_Phase.IDLE, self._limits.keep_alive_seconds)
        else:
            self._enter(_Phase.BUSY)

    # Responses of the server itself.

    def send_400_response(self, msg: str) -> None:
        """Report malformed HTTP, unless the request was refused by a limit."""
        if not self.transport.is_closing():
            self._refuse("bad-request", f"{msg} Check how it is sent.")

    def _refuse_headers(self) -> None:
        limit = f"{self._limits.header_bytes} bytes in {MAX_HEADERS} headers"
        self._refuse("headers-too-large", f"Request line and headers exceed {limit}.")

    def _refuse(self, code: str, detail: str) -> None:
        """Respond with a problem, unless a response has begun, and close the connection."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        in_progress = cycle is not None and not cycle.response_complete
        if not (in_progress and self.cycle.response_started):
            received = dict(self.headers or ()).get(REQUEST_ID.lower().encode(), b"")
            identity = request_id.accept(received.decode("latin-1"))
            request_id.bind(identity)
            path = getattr(self, "url", b"").decode("latin-1").partition("?")[0]
            response = problem_response(code, detail, path=path or "/")
            headers = [
                *with_security_headers(response.raw_headers),
                (REQUEST_ID.lower().encode(), identity.encode()),
                (b"connection", b"close"),
            ]
            lines = [name + b": " + value + b"\r\n" for name, value in headers]
            head = STATUS_LINE[response.status_code] + b"".join(lines) + b"\r\n"
            self.transport.write(head + bytes(response.body))
            _log.info("request.refused", code=code, request_id=identity)
        if in_progress:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()


def limited(settings: ServiceSettings) -> Any:
    """Return the protocol with the limits of a service, for uvicorn's option `http`.

    A partial function, unlike a class made here, can be sent to worker processes. Its type is not
    the class that uvicorn's annotations require.
    """
    return partial(LimitedProtocol, limits=Limits.of(settings))
