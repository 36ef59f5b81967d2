"""Prometheus metrics of one service, in a registry of its own."""

from collections.abc import Sequence
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from levy_observability.version import engine_version

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
REQUEST_BUCKETS: Final = (
    *(0.001, 0.002, 0.003, 0.005, 0.008, 0.015, 0.03, 0.06),
    *(0.125, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
)


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
        ProcessCollector(registry=self.registry)
        self.request_seconds = self.histogram(
            "request_seconds",
            "Time from the first byte of a request to the last of its answer",
            ("method", "route", "status"),
        )
        self.in_flight = self.gauge("requests_in_flight", "Requests being answered now")
        build = self.gauge("build_info", "Always 1; the label tells the version", ("version",))
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

    def gauge(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
        """Register a level."""
        return Gauge(f"{self.service}_{name}", meaning, labels, registry=self.registry)

    def exposition(self) -> bytes:
        """Everything counted so far, in Prometheus' text format."""
        return generate_latest(self.registry)
