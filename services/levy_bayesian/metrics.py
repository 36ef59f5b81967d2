"""Metrics of the workers."""

from typing import Final

from levy_schemas.jobs import BayesianRequest, BayesianResult
from levy_service.metrics import ServiceMetrics

_JOB_SECONDS: Final = (
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    *(20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0),
)
_WAIT_SECONDS: Final = (0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0)
_R_HAT: Final = (1.0005, 1.001, 1.002, 1.005, 1.01, 1.02, 1.05, 1.1, 1.5, 2.0)
_ESS: Final = (50.0, 100.0, 200.0, 400.0, 1e3, 2e3, 4e3, 8e3, 16e3, 32e3, 64e3)


class BayesianMetrics(ServiceMetrics):
    """Jobs by outcome, their waiting and run times, and the convergence of their draws."""

    def __init__(self) -> None:
        super().__init__("levy_bayesian")
        job_labels = ("model", "engine")
        self.jobs = self.counter("jobs", "Jobs that have ended", (*job_labels, "status"))
        self.job_seconds = self.histogram(
            "job_seconds", "Run time of a job", job_labels, buckets=_JOB_SECONDS
        )
        self.wait_seconds = self.histogram(
            "job_wait_seconds",
            "Waiting time of a job in its queue",
            ("queue",),
            buckets=_WAIT_SECONDS,
        )
        self.r_hat = self.histogram(
            "r_hat", "Largest R-hat of a job's parameters", job_labels, buckets=_R_HAT
        )
        self.ess = self.histogram(
            "ess", "Smallest bulk ESS of a job's parameters", job_labels, buckets=_ESS
        )
        self.divergences = self.counter("divergences", "Divergent draws", job_labels)

    def ended(self, model: str, engine: str, status: str, seconds: float) -> None:
        """Record a job that has ended."""
        self.jobs.labels(model, engine, status).inc()
        self.job_seconds.labels(model, engine).observe(seconds)

    def record_result(self, request: BayesianRequest, result: BayesianResult) -> None:
        """Record the diagnostics of a job's draws; engines without chains have no R-hat or ESS."""
        labels = (request.model_type, request.engine)
        parameters = result.parameters.values()
        r_hats = [p.r_hat for p in parameters if p.r_hat is not None]
        sizes = [p.ess_bulk for p in parameters if p.ess_bulk is not None]
        if r_hats:
            self.r_hat.labels(*labels).observe(max(r_hats))
        if sizes:
            self.ess.labels(*labels).observe(min(sizes))
        self.divergences.labels(*labels).inc(result.divergences)
