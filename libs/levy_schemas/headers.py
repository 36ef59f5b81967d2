"""HTTP headers."""

from typing import Final

REQUEST_ID: Final = "X-Request-ID"
"""Id of a request in every service that it passes, and in the response."""

DEADLINE_SECONDS: Final = "X-Deadline-Seconds"
"""Seconds until the caller stops waiting; relative, so that clocks need not agree."""

CALLER: Final = "X-Caller"
"""Name of the caller that the gateway authenticated, for the services behind it."""

API_KEY: Final = "X-API-Key"
"""API key; `Authorization: Bearer` is equivalent."""

RETRY_AFTER: Final = "Retry-After"
"""Seconds to wait before a retry."""

CACHE_CONTROL: Final = "Cache-Control"
"""`no-cache`: ignore cached results; `no-store`: also do not cache the result."""

CACHE_STATUS: Final = "Cache-Status"
"""Whether the result was cached (RFC 9211)."""

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
"""Makes a repeated submission return the job of the first."""
