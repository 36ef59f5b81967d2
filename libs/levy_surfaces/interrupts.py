"""Ctrl-C in worker processes: every process of a terminal receives it, not the parent alone."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Block SIGINT in the processes that the body starts, until `on_interrupt` sets its action.

    Otherwise a process that is interrupted while it imports its modules prints a traceback.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def on_interrupt(action: Any) -> None:
    """Set the action at Ctrl-C (`signal.SIG_IGN`, `signal.SIG_DFL`) of this process, and unblock.

    To be the initializer of a pool whose processes start in `interrupts_blocked`.
    """
    signal.signal(signal.SIGINT, action)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
