"""HTTP headers with a meaning of our own."""

from typing import Final

REQUEST_ID: Final = "X-Request-ID"
"""Follows a request through every hop and comes back with the answer."""

DEADLINE_SECONDS: Final = "X-Deadline-Seconds"
"""How long the caller will still wait; relative, so that clocks need not agree."""

API_KEY: Final = "X-API-Key"
"""Who asks; `Authorization: Bearer` says the same."""

RETRY_AFTER: Final = "Retry-After"
"""Seconds to wait before asking again."""

CACHE_CONTROL: Final = "Cache-Control"
"""`no-cache` asks for a result computed now; `no-store` also that it is not kept."""

CACHE_STATUS: Final = "Cache-Status"
"""Whether an answer was kept from before (RFC 9211)."""

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
"""Makes a repeated submission return the job of the first."""
