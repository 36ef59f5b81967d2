"""What the gateway counts."""

from typing import Literal

from levy_gateway.circuit_breaker import STATES, State
from levy_service.metrics import ServiceMetrics

CacheOutcome = Literal["hit", "miss", "refused", "unavailable"]
Refusal = Literal["unauthorized", "rate-limited"]


class GatewayMetrics(ServiceMetrics):
    """Hops, breakers, the cache, who was turned away, and how Redis does."""

    def __init__(self) -> None:
        super().__init__("levy_gateway")
        self.neighbour_seconds = self.histogram(
            "neighbour_seconds", "Time of one hop to a neighbour", ("neighbour", "outcome")
        )
        self.breaker_state = self.gauge(
            "breaker_state",
            "1 for the state that a circuit is in, 0 for the others",
            ("neighbour", "state"),
            across_workers="livemax",
        )
        self.cache = self.counter("cache_requests", "Lookups of results", ("route", "outcome"))
        self.refused = self.counter("requests_refused", "Requests turned away", ("reason",))
        self.redis_failures = self.counter(
            "redis_failures", "Requests answered without Redis, by what they lacked", ("purpose",)
        )
        self.jobs_queued = self.gauge(
            "jobs_queued", "Jobs that wait for a worker", ("queue",), across_workers="livemax"
        )
        self.jobs_resent = self.counter(
            "jobs_resent", "Tasks sent again: queued for too long, or with an expired lease"
        )
        self.oldest_job = self.gauge(
            "oldest_job_age_seconds",
            "Age of the job that is next, 0 if none waits",
            ("queue",),
            across_workers="livemax",
        )
        self.bayesian_workers = self.gauge(
            "bayesian_workers", "Workers heard of lately", across_workers="livemax"
        )

    def hop(self, neighbour: str, outcome: str, seconds: float) -> None:
        """Count one exchange with a neighbour."""
        self.neighbour_seconds.labels(neighbour, outcome).observe(seconds)

    def breaker(self, neighbour: str, state: State) -> None:
        """Show the state of a circuit."""
        for each in STATES:
            self.breaker_state.labels(neighbour, each).set(float(each == state))

    def looked_up(self, route: str, outcome: CacheOutcome) -> None:
        """Count one lookup in the cache."""
        self.cache.labels(route, outcome).inc()

    def turned_away(self, reason: Refusal) -> None:
        """Count one request that was refused before it was read."""
        self.refused.labels(reason).inc()

    def queue_level(self, queue: str, waiting: int, oldest_seconds: float) -> None:
        """Show how full a queue is."""
        self.jobs_queued.labels(queue).set(waiting)
        self.oldest_job.labels(queue).set(oldest_seconds)
