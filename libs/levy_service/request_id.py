"""One id for a request, through every hop."""

import re
import uuid
from contextvars import ContextVar
from typing import Final

_current: ContextVar[str] = ContextVar("levy_request_id", default="")
_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9._:\-]{1,128}")


def accept(offered: str | None) -> str:
    r"""Take an id from a caller if it is well formed, else make one.

    Examples
    --------
    >>> accept("desk-7:42")
    'desk-7:42'
    >>> len(accept("line\nbreak"))
    32
    """
    if offered is not None and _WELL_FORMED.fullmatch(offered):
        return offered
    return uuid.uuid4().hex


def bind(request_id: str) -> None:
    """Make an id that of everything that happens from here on in this context."""
    _current.set(request_id)


def current() -> str:
    """The id of the request being answered; empty outside of one."""
    return _current.get()
