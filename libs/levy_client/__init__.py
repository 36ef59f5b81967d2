"""The Python client, which requires only httpx and the schemas.

>>> from levy_client import Client
>>> with Client("http://localhost:8000") as levy:  # doctest: +SKIP
...     fit = levy.calibrate(model_type="VarianceGamma", spot_price=100, ...)
...     fit.parameters["sigma"]
"""

from levy_client.aio import AsyncClient
from levy_client.errors import (
    ClientError,
    JobCancelledError,
    NoAnswerError,
    NoResponseError,
    ProblemError,
    StillWorkingError,
    WaitTimeoutError,
)
from levy_client.sync import Client

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "JobCancelledError",
    "NoAnswerError",
    "NoResponseError",
    "ProblemError",
    "StillWorkingError",
    "WaitTimeoutError",
]
