"""The request id, which is the same in every service that a request passes."""

import re
import uuid
from contextvars import ContextVar
from typing import Final

_current: ContextVar[str] = ContextVar("levy_request_id", default="")
_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9._:\-]{1,128}")


def accept(received: str | None) -> str:
    r"""Return the caller's id if it is well formed, else a new one.

    Examples
    --------
    >>> accept("desk-7:42")
    'desk-7:42'
    >>> len(accept("line\nbreak"))
    32
    """
    if received is not None and _WELL_FORMED.fullmatch(received):
        return received
    return uuid.uuid4().hex


def bind(request_id: str) -> None:
    """Set the id of the current context."""
    _current.set(request_id)


def current() -> str:
    """Return the id of the current request; empty outside a request."""
    return _current.get()
