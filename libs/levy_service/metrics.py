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

from levy_service import engine_version

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
REQUEST_BUCKETS: Final = (
    *(0.001, 0.002, 0.003, 0.005, 0.008, 0.015, 0.03, 0.06),
    *(0.125, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
)

MULTIPROCESS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable with the folder of the workers' metrics; unset for a single worker."""

AcrossWorkers = Literal["livesum", "livemax", "max"]


class ServiceMetrics:
    """Metrics of every service; a subclass adds those of one service.

    Each application has its own registry, since several may run in one process, and importing a
    module must not register anything.

    Parameters
    ----------
    service : str
        Prefix of every name: `levy_pricing` gives `levy_pricing_request_seconds`.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        if MULTIPROCESS_FOLDER not in os.environ:
            ProcessCollector(registry=self.registry)
        self.request_seconds = self.histogram(
            "request_seconds",
            "Duration of a request, from its first byte to the last of the response",
            ("method", "route", "status"),
        )
        self.in_flight = self.gauge("requests_in_flight", "Requests in progress")
        self.threads_busy = self.gauge("threads_busy", "Computations in progress", ("lane",))
        self.threads_waiting = self.gauge(
            "threads_waiting", "Computations waiting for a thread", ("lane",)
        )
        build = self.gauge(
            "build_info",
            "Always 1; the label is the version",
            ("version",),
            across_workers="max",
        )
        build.labels(engine_version()).set(1)

    def histogram(
        self,
        name: str,
        description: str,
        labels: Sequence[str] = (),
        buckets: Sequence[float] = REQUEST_BUCKETS,
    ) -> Histogram:
        """Register a histogram."""
        return Histogram(
            f"{self.service}_{name}", description, labels, buckets=buckets, registry=self.registry
        )

    def counter(self, name: str, description: str, labels: Sequence[str] = ()) -> Counter:
        """Register a counter."""
        return Counter(f"{self.service}_{name}", description, labels, registry=self.registry)

    def gauge(
        self,
        name: str,
        description: str,
        labels: Sequence[str] = (),
        across_workers: AcrossWorkers = "livesum",
    ) -> Gauge:
        """Register a gauge; `across_workers` combines the values of several workers."""
        return Gauge(
            f"{self.service}_{name}",
            description,
            labels,
            registry=self.registry,
            multiprocess_mode=across_workers,
        )

    def exposition(self) -> bytes:
        """Return the metrics of all workers of the service in Prometheus' text format."""
        if MULTIPROCESS_FOLDER not in os.environ:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
