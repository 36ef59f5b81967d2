"""`python -m levy_bayesian`: run a worker."""

import multiprocessing
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any, Protocol

from levy_bayesian.handlers.run import SamplingOutput
from levy_bayesian.job_store import Leases
from levy_bayesian.progress import ProgressCallback
from levy_bayesian.settings import BayesianSettings
from levy_bayesian.warmup import Sampling, exit_with_parent
from levy_schemas.jobs import BayesianRequest
from levy_service import logs, server

_SERVICE = "levy_bayesian"
_DRAIN_PAUSE_SECONDS = 0.2
_PROCESSES = 2
"""The process that takes jobs, and its child, which samples."""


class WarmableCompute(Protocol):
    """A `Compute` that can be warmed up."""

    def __call__(self, request: BayesianRequest, progress: ProgressCallback) -> SamplingOutput:
        """Sample the posterior; see `levy_bayesian.handlers.run`."""

    def warm(self) -> None:
        """Compile, so that the first job need not wait."""


def main(sampling: Callable[[BayesianSettings], WarmableCompute] = Sampling) -> int:
    """Run a worker until a signal; a job that exceeds the drain time goes back into its queue.

    Parameters
    ----------
    sampling : callable
        Returns the `Compute`.
    """
    # Makes SIGTERM a soft shutdown with a time limit; Celery reads it when it is imported.
    os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")
    settings = BayesianSettings.from_command_line(_SERVICE)
    server.limit_numeric_threads()
    logs.configure(_SERVICE, level=settings.log_level)
    with server.multiprocess_metrics(_PROCESSES):
        return _work(settings, sampling(settings))


def _work(settings: BayesianSettings, sampling: WarmableCompute) -> int:
    from celery import signals
    from celery.platforms import SecurityWarning

    from levy_bayesian.app import create_app, served
    from levy_bayesian.heartbeat import Heartbeat
    from levy_bayesian.metrics import BayesianMetrics
    from levy_bayesian.worker import create_worker, new_name

    metrics, name = BayesianMetrics(), new_name()
    consuming = threading.Event()

    warmed_up = multiprocessing.Event()

    def on_fork(**_: Any) -> None:
        exit_with_parent()
        sampling.warm()
        warmed_up.set()

    def consume_when_warm() -> None:
        warmed_up.wait()
        consuming.set()

    def leave_logs_alone(**_: Any) -> None:
        """Keep our logging: Celery configures its own unless this signal has a receiver."""

    # The warning for root concerns pickled messages; only JSON is accepted.
    warnings.simplefilter("ignore", SecurityWarning)
    signals.worker_process_init.connect(on_fork)
    signals.setup_logging.connect(leave_logs_alone)

    url = settings.redis_url.get_secret_value()
    heartbeat = Heartbeat(url, name, consuming)
    pages = create_app(settings, metrics, heartbeat, consuming)
    app, leases = create_worker(settings, sampling, metrics, name=name), Leases(url, name)

    class Draining(app.Worker):  # type: ignore[misc, name-defined] # Celery ships no types
        def wait_for_soft_shutdown(self) -> None:
            """Wait until the running job has ended; Celery would always wait the full time."""
            deadline = time.monotonic() + settings.drain_seconds
            while time.monotonic() < deadline and leases.any():
                time.sleep(_DRAIN_PAUSE_SECONDS)

    worker = Draining(
        hostname=f"bayesian@{name}",
        queues=list(settings.queues),
        quiet=True,
        # Workers do not need to know one another.
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        loglevel=settings.log_level.upper(),
    )
    with served(pages, settings) as serve:

        def on_ready(**_: Any) -> None:
            serve()
            threading.Thread(target=consume_when_warm, name="warm-up", daemon=True).start()

        signals.worker_ready.connect(on_ready)
        worker.start()
        consuming.clear()
        leases.release_all()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
