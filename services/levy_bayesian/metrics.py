"""What the workers count."""

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
    """Jobs by how they ended, how long they waited and ran, and how good their draws were."""

    def __init__(self) -> None:
        super().__init__("levy_bayesian")
        of_a_job = ("model", "engine")
        self.jobs = self.counter("jobs", "Jobs that ended", (*of_a_job, "status"))
        self.job_seconds = self.histogram(
            "job_seconds", "Time of one job, from its begin", of_a_job, buckets=_JOB_SECONDS
        )
        self.wait_seconds = self.histogram(
            "job_wait_seconds",
            "Time that a job waited for its turn",
            ("queue",),
            buckets=_WAIT_SECONDS,
        )
        self.r_hat = self.histogram(
            "r_hat", "Largest R-hat of a job's parameters", of_a_job, buckets=_R_HAT
        )
        self.ess = self.histogram(
            "ess", "Smallest bulk ESS of a job's parameters", of_a_job, buckets=_ESS
        )
        self.divergences = self.counter("divergences", "Draws that diverged", of_a_job)

    def ended(self, model: str, engine: str, status: str, seconds: float) -> None:
        """Count a job that ended."""
        self.jobs.labels(model, engine, status).inc()
        self.job_seconds.labels(model, engine).observe(seconds)

    def found(self, asked: BayesianRequest, result: BayesianResult) -> None:
        """Count how good the draws of a job are; engines without chains tell neither R-hat."""
        labels = (asked.model_type, asked.engine)
        every = result.parameters.values()
        r_hats = [one.r_hat for one in every if one.r_hat is not None]
        sizes = [one.ess_bulk for one in every if one.ess_bulk is not None]
        if r_hats:
            self.r_hat.labels(*labels).observe(max(r_hats))
        if sizes:
            self.ess.labels(*labels).observe(min(sizes))
        self.divergences.labels(*labels).inc(result.divergences)
