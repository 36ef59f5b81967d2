"""A worker whose sampler only waits, for tests of long jobs.

Run as `python -m tests.bayesian.slow_worker`; a job takes `SECONDS_A_DRAW` for each of its
draws. It writes its seed to the list `order`, and the id of its process to `sampling` and to its
draws, which are as large as real ones. With weights `vega` it aborts its process. With Student's t
it ignores the soft time limit.
"""

import os
import sys
import time
from contextlib import suppress

from celery.exceptions import SoftTimeLimitExceeded
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from levy_bayesian.__main__ import main
from levy_bayesian.handlers.run import SamplingOutput
from levy_bayesian.job_store import connect
from levy_bayesian.progress import Progress, ProgressCallback
from levy_bayesian.settings import BayesianSettings
from levy_schemas.jobs import BayesianRequest, Diagnostics, result_bytes
from tests.bayesian.test_run import RESULT

SECONDS_A_DRAW = 2e-4
_STEPS = 20
_SUMMARY_BYTES = 2**18
_STEP_SECONDS = 0.05


class Slow:
    """Waits in steps and reports progress after each."""

    def __init__(self, settings: BayesianSettings) -> None:
        self._url = settings.redis_url.get_secret_value()

    def __call__(self, request: BayesianRequest, progress: ProgressCallback) -> SamplingOutput:
        with connect(self._url) as redis:
            # Retried, since Redis may reject writes by now.
            retry = Retry(ConstantBackoff(0.1), 100, supported_errors=(RedisError,))
            retry.call_with_retry(lambda: redis.rpush("order", request.seed), lambda _: None)
            retry.call_with_retry(lambda: redis.set("sampling", os.getpid()), lambda _: None)
        if request.weights == "vega":
            os.abort()
        seconds = SECONDS_A_DRAW * request.num_chains * request.num_samples
        for step in range(_STEPS):
            deaf = [SoftTimeLimitExceeded] if request.likelihood == "student_t" else []
            with suppress(*deaf):
                time.sleep(seconds / _STEPS)
            progress(Progress(step / _STEPS, Diagnostics(draws=step)))
        return RESULT, str(os.getpid()).encode().ljust(result_bytes(request) - _SUMMARY_BYTES)

    def warm(self) -> None:
        """Wait as long as Redis has the key `cold`."""
        with connect(self._url) as redis:
            while redis.exists("cold"):
                time.sleep(_STEP_SECONDS)


if __name__ == "__main__":
    sys.exit(main(Slow))
