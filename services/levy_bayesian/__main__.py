"""`python -m levy_bayesian`: a worker as a process."""

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
from levy_bayesian.progress import Progress
from levy_bayesian.settings import BayesianSettings
from levy_bayesian.warmup import Sampling, end_with_the_parent
from levy_schemas.jobs import BayesianRequest
from levy_service import logs, server

_SERVICE = "levy_bayesian"
_DRAIN_PAUSE_SECONDS = 0.2
_PROCESSES = 2
"""That which takes jobs, and its child, which samples."""


class SamplesAndWarms(Protocol):
    """What samples, and can be warmed."""

    def __call__(self, asked: BayesianRequest, progress: Progress) -> SamplingOutput:
        """Sample; see `levy_bayesian.handlers.run`."""

    def warm(self) -> None:
        """Do what spares the first job to wait."""


def main(sampling: Callable[[BayesianSettings], SamplesAndWarms] = Sampling) -> int:
    """Work until a signal comes; a job that then runs on too long goes back into its queue.

    Parameters
    ----------
    sampling : callable
        Makes what samples.
    """
    # Celery's own way to say that SIGTERM waits for a job only so long; read when it is imported.
    os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")
    settings = BayesianSettings.from_environment()
    server.limit_numeric_threads()
    logs.configure(_SERVICE, level=settings.log_level)
    with server.multiprocess_metrics(_PROCESSES):
        return _work(settings, sampling(settings))


def _work(settings: BayesianSettings, sampling: SamplesAndWarms) -> int:
    from celery import signals
    from celery.platforms import SecurityWarning

    from levy_bayesian.app import create_app, shown
    from levy_bayesian.heartbeat import Heartbeat
    from levy_bayesian.metrics import BayesianMetrics
    from levy_bayesian.worker import create_worker, new_name

    metrics, name = BayesianMetrics(), new_name()
    consuming = threading.Event()

    warmed = multiprocessing.Event()

    def on_fork(**_: Any) -> None:
        end_with_the_parent()
        sampling.warm()
        warmed.set()

    def consume_when_warm() -> None:
        warmed.wait()
        consuming.set()

    def leave_logs_alone(**_: Any) -> None:
        """Being there is all it takes: Celery then configures none of its own."""

    # Root is warned of messages that are code; ours are JSON, and nothing else is read.
    warnings.simplefilter("ignore", SecurityWarning)
    signals.worker_process_init.connect(on_fork)
    signals.setup_logging.connect(leave_logs_alone)

    url = settings.redis_url.get_secret_value()
    heartbeat = Heartbeat(url, name, consuming)
    pages = create_app(settings, metrics, heartbeat, consuming)
    app, leases = create_worker(settings, sampling, metrics, name=name), Leases(url, name)

    class Draining(app.Worker):  # type: ignore[misc, name-defined] # Celery ships no types
        def wait_for_soft_shutdown(self) -> None:
            """Wait for the job that runs, and not, as Celery would, longer than it takes."""
            deadline = time.monotonic() + settings.drain_seconds
            while time.monotonic() < deadline and leases.any():
                time.sleep(_DRAIN_PAUSE_SECONDS)

    worker = Draining(
        hostname=f"bayesian@{name}",
        queues=list(settings.queues),
        quiet=True,
        # Workers of a queue need not know one another.
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        loglevel=settings.log_level.upper(),
    )
    with shown(pages, settings) as show:

        def on_ready(**_: Any) -> None:
            show()
            threading.Thread(target=consume_when_warm, name="warming", daemon=True).start()

        signals.worker_ready.connect(on_ready)
        worker.start()
        consuming.clear()
        leases.release_all()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
