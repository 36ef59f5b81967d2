"""The name of the caller that the gateway authenticated, in the services behind it."""

import re
from contextvars import ContextVar
from typing import Final

_current: ContextVar[str] = ContextVar("levy_caller", default="")
_WELL_FORMED: Final = re.compile(r"[\x20-\x7e]{1,256}")


def accept(received: str | None) -> str:
    r"""Return a name that is well formed, else an empty string.

    Examples
    --------
    >>> accept("desk"), accept("line\nbreak"), accept(None)
    ('desk', '', '')
    """
    return received if received is not None and _WELL_FORMED.fullmatch(received) else ""


def bind(name: str) -> None:
    """Set the caller of the current context."""
    _current.set(name)


def current() -> str:
    """Return the caller of the current request; empty if it is unknown."""
    return _current.get()
