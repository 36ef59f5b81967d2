"""A worker whose sampler takes its time, for tests of what happens meanwhile.

Run as `python -m tests.bayesian.slow_worker SECONDS`.
"""

import os
import sys
import time

from levy_bayesian.handlers.run import Progress
from levy_bayesian.settings import BayesianSettings
from levy_bayesian.worker import create_worker
from levy_schemas.jobs import BayesianRequest, BayesianResult
from tests.bayesian.test_run import RESULT


def main() -> None:
    seconds = float(sys.argv[1])

    def compute(_asked: BayesianRequest, progress: Progress) -> tuple[BayesianResult, bytes]:
        for step in range(20):
            time.sleep(seconds / 20)
            progress(step / 20)
        return RESULT, str(os.getpid()).encode()

    settings = BayesianSettings.from_environment()
    app = create_worker(settings, compute)
    queues = ",".join(settings.queues)
    app.worker_main(["worker", "-Q", queues, "-l", "warning", "--without-gossip"])


if __name__ == "__main__":
    main()
