"""Metrics of the gateway."""

from typing import Literal

from levy_gateway.circuit_breaker import STATES, State
from levy_service.metrics import ServiceMetrics

CacheOutcome = Literal["hit", "miss", "refused", "unavailable"]
Refusal = Literal["unauthorized", "rate-limited", "overloaded"]


class GatewayMetrics(ServiceMetrics):
    """Upstream requests, circuit breakers, the result cache, rejections, Redis and the queues.

    The metric `neighbour_seconds` and the label `neighbour` keep the earlier word for an upstream
    service, on which dashboards and alerts depend.
    """

    def __init__(self) -> None:
        super().__init__("levy_gateway")
        self.upstream_seconds = self.histogram(
            "neighbour_seconds",
            "Duration of a request to an upstream service",
            ("neighbour", "outcome"),
        )
        self.breaker_state = self.gauge(
            "breaker_state",
            "1 for the current state of the circuit breaker, 0 for the others",
            ("neighbour", "state"),
            across_workers="livemax",
        )
        self.cache = self.counter(
            "cache_requests", "Lookups in the result cache", ("route", "outcome")
        )
        self.refused = self.counter(
            "requests_refused", "Requests rejected before any computation", ("reason",)
        )
        self.queue_seconds = self.histogram(
            "queue_seconds", "Wait of a request before it was forwarded", ("lane",)
        )
        self.redis_failures = self.counter(
            "redis_failures", "Operations that failed because Redis is unavailable", ("purpose",)
        )
        self.jobs_queued = self.gauge(
            "jobs_queued", "Jobs waiting for a worker", ("queue",), across_workers="livemax"
        )
        self.jobs_resent = self.counter(
            "jobs_resent", "Tasks sent again: queued for too long, or with an expired lease"
        )
        self.oldest_job = self.gauge(
            "oldest_job_age_seconds",
            "Age of the oldest queued job, 0 if there is none",
            ("queue",),
            across_workers="livemax",
        )
        self.bayesian_workers = self.gauge(
            "bayesian_workers", "Workers with a recent heartbeat", across_workers="livemax"
        )

    def observe_upstream(self, upstream: str, outcome: str, seconds: float) -> None:
        """Record one request to an upstream service."""
        self.upstream_seconds.labels(upstream, outcome).observe(seconds)

    def set_breaker_state(self, upstream: str, state: State) -> None:
        """Set the state of a circuit breaker."""
        for name in STATES:
            self.breaker_state.labels(upstream, name).set(float(name == state))

    def count_lookup(self, route: str, outcome: CacheOutcome) -> None:
        """Count one lookup in the result cache."""
        self.cache.labels(route, outcome).inc()

    def count_refusal(self, reason: Refusal) -> None:
        """Count one request that was rejected before any computation."""
        self.refused.labels(reason).inc()

    def set_queue_level(self, queue: str, waiting: int, oldest_seconds: float) -> None:
        """Set the length of a queue and the age of its oldest job."""
        self.jobs_queued.labels(queue).set(waiting)
        self.oldest_job.labels(queue).set(oldest_seconds)
