"""Processor time of calls; medians, because other programs share the machine."""

import statistics
import time
from collections.abc import Callable


def median_microseconds(
    call: Callable[[], object], *, seconds: float = 1.0, at_least: int = 5, at_most: int = 2000
) -> float:
    """Return the median processor time of `call` in microseconds, after two warm-up calls.

    Parameters
    ----------
    seconds : float
        Approximate duration of the measurement, within `at_least` and `at_most` calls.
    """
    for _ in range(2):
        call()
    durations: list[float] = []
    end = time.perf_counter() + seconds
    while len(durations) < at_least or (time.perf_counter() < end and len(durations) < at_most):
        start = time.process_time()
        call()
        durations.append(time.process_time() - start)
    return 1e6 * statistics.median(durations)
