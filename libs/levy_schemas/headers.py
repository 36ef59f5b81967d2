"""HTTP headers with a meaning of our own."""

from typing import Final

REQUEST_ID: Final = "X-Request-ID"
"""Follows a request through every hop and comes back with the answer."""

DEADLINE_SECONDS: Final = "X-Deadline-Seconds"
"""How long the caller will still wait; relative, so that clocks need not agree."""
