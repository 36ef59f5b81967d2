"""Prometheus metrics of one service, in a registry of its own."""

import os
from collections.abc import Sequence
from typing import Final, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    multiprocess,
)

from levy_service.version import engine_version

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
REQUEST_BUCKETS: Final = (
    *(0.001, 0.002, 0.003, 0.005, 0.008, 0.015, 0.03, 0.06),
    *(0.125, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
)

SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where the workers of one service put their counts together; unset for a single one."""

AcrossWorkers = Literal["livesum", "livemax", "max"]


class ServiceMetrics:
    """What every service counts, and a place for what one service counts besides.

    A registry for each application, not the global one: several may live in one process, and
    importing a module must not register anything.

    Parameters
    ----------
    service : str
        Prefix of every name: `levy_pricing` gives `levy_pricing_request_seconds`.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        if SHARED_FOLDER not in os.environ:
            ProcessCollector(registry=self.registry)
        self.request_seconds = self.histogram(
            "request_seconds",
            "Time from the first byte of a request to the last of its answer",
            ("method", "route", "status"),
        )
        self.in_flight = self.gauge("requests_in_flight", "Requests being answered now")
        build = self.gauge(
            "build_info",
            "Always 1; the label tells the version",
            ("version",),
            across_workers="max",
        )
        build.labels(engine_version()).set(1)

    def histogram(
        self,
        name: str,
        meaning: str,
        labels: Sequence[str] = (),
        buckets: Sequence[float] = REQUEST_BUCKETS,
    ) -> Histogram:
        """Register a distribution."""
        return Histogram(
            f"{self.service}_{name}", meaning, labels, buckets=buckets, registry=self.registry
        )

    def counter(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
        """Register something that only grows."""
        return Counter(f"{self.service}_{name}", meaning, labels, registry=self.registry)

    def gauge(
        self,
        name: str,
        meaning: str,
        labels: Sequence[str] = (),
        across_workers: AcrossWorkers = "livesum",
    ) -> Gauge:
        """Register a level, and how those of several workers make one."""
        return Gauge(
            f"{self.service}_{name}",
            meaning,
            labels,
            registry=self.registry,
            multiprocess_mode=across_workers,
        )

    def exposition(self) -> bytes:
        """Everything counted so far, by all workers of the service, in Prometheus' text format."""
        if SHARED_FOLDER not in os.environ:
            return generate_latest(self.registry)
        gathered = CollectorRegistry()
        multiprocess.MultiProcessCollector(gathered)  # type: ignore[no-untyped-call]
        return generate_latest(gathered)
