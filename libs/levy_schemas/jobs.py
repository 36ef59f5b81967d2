"""`/calibrate/bayesian`: requests, jobs, results, and where a job lies in Redis.

Gateway and workers meet in Redis on these names; nothing else is shared.

| key | type | what |
|---|---|---|
| `levy:job:{id}` | hash | `JobField`: state, progress, result or problem; expires |
| `levy:job:{id}:draws` | string | InferenceData as netCDF; expires with the hash |
| `levy:job-of:{digest}` | string | id of the job that an idempotency key made; lasts a day |
| `bayesian.short`, `bayesian.long` | list | the queues, as Celery keeps them |
"""

from hashlib import sha256
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from levy_schemas.calibration import Interval
from levy_schemas.problems import Problem
from levy_schemas.surface import (
    EXAMPLE_GRID,
    ONE_SURFACE_AND_ONE_MARKET,
    DroppedQuote,
    SurfaceRequest,
)
from levy_schemas.wire import (
    MAX_PARAMETERS,
    Answer,
    FiniteFloat,
    ModelName,
    ParameterName,
    ParameterValue,
    Request,
)

TASK: Final = "bayesian.sample"
"""Takes the job's id, and `BayesianRequest` as JSON has it; answers nothing: see the hash."""

MAX_DRAWS: Final = 200_000
"""Draws of all chains together, warm-up included."""

IDEMPOTENCY_SECONDS: Final = 24 * 3600

Engine = Literal["numpyro-nuts", "numpyro-svi", "pymc-nuts", "pymc-advi", "laplace-psis"]
Likelihood = Literal["normal", "student_t"]
JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
JobField = Literal[
    "status", "progress", "result", "problem", "owner", "cancel", "created", "request_id", "path"
]
QueueName = Literal["bayesian.short", "bayesian.long"]

QUEUES: Final[tuple[QueueName, ...]] = ("bayesian.short", "bayesian.long")
QUEUE_OF: Final[dict[Engine, QueueName]] = {
    "numpyro-nuts": "bayesian.long",
    "numpyro-svi": "bayesian.short",
    "pymc-nuts": "bayesian.long",
    "pymc-advi": "bayesian.short",
    "laplace-psis": "bayesian.short",
}
ENDED: Final[frozenset[str]] = frozenset({"succeeded", "failed", "cancelled"})


class Prior(Request):
    """Distribution of one parameter; which numbers it takes depends on which it is."""

    distribution: Literal["normal", "lognormal", "gamma", "half_normal", "uniform"]
    mu: ParameterValue | None = None
    sigma: ParameterValue | None = None
    shape: ParameterValue | None = None
    rate: ParameterValue | None = None
    low: ParameterValue | None = None
    high: ParameterValue | None = None
    beyond: ParameterValue | None = Field(default=None, description="where the support begins")

    def described(self) -> dict[str, Any]:
        """Name and the numbers given."""
        return self.model_dump(exclude_none=True)


def _count(least: int, most: int) -> Any:
    return Field(strict=True, ge=least, le=most)


class BayesianRequest(SurfaceRequest):
    """Quotes of one underlying, and how to sample the posterior of a model given them."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": ONE_SURFACE_AND_ONE_MARKET,
            "examples": [EXAMPLE_GRID | {"model_type": "VarianceGamma"}],
        }
    )

    model_type: ModelName
    engine: Engine = "numpyro-nuts"
    num_chains: Annotated[int, _count(1, 16)] = 4
    num_samples: Annotated[int, _count(100, 20_000)] = 5000
    num_warmup: Annotated[int, _count(100, 20_000)] = 2000
    priors: dict[ParameterName, Prior] = Field(
        default_factory=dict, max_length=MAX_PARAMETERS, description="instead of the default ones"
    )
    likelihood: Likelihood = "normal"
    seed: Annotated[int, _count(0, 2**31 - 1)] = 0


class JobAccepted(Answer):
    """A job that waits for its turn."""

    job_id: str
    status_url: str


class ParameterSummary(Answer):
    """Posterior of one parameter, and how well its draws tell it."""

    mean: FiniteFloat
    sd: FiniteFloat
    median: FiniteFloat | None = None
    interval: Interval = Field(description="95%")
    r_hat: FiniteFloat | None = Field(description="null where there are no chains to compare")
    ess_bulk: FiniteFloat | None
    ess_tail: FiniteFloat | None


class PredictiveInterval(Answer):
    """What the posterior expects one quote to be."""

    strike: FiniteFloat
    maturity: FiniteFloat = Field(description="in years")
    mean: FiniteFloat
    interval: Interval = Field(description="95%, errors of the quotes included")


class BayesianResult(Answer):
    """A posterior, summarised; one that did not converge is told all the same."""

    model_type: str
    engine: Engine
    parameters: dict[str, ParameterSummary]
    correlations: dict[str, dict[str, FiniteFloat]]
    predictive: tuple[PredictiveInterval, ...]
    divergences: int
    pareto_k: FiniteFloat | None = None
    converged: bool
    reason: str = Field(description="why it counts as converged or not, in a sentence")
    draws: int = Field(description="of all chains together")
    seconds: FiniteFloat
    dropped: tuple[DroppedQuote, ...] = ()
    warnings: tuple[str, ...] = ()


class JobStatus(Answer):
    """How a job stands."""

    job_id: str
    status: JobState
    progress: FiniteFloat = Field(ge=0.0, le=1.0, description="share done")
    result: BayesianResult | None = None
    problem: Problem | None = None


def job_key(job_id: str) -> str:
    """Of the hash."""
    return f"levy:job:{job_id}"


def draws_key(job_id: str) -> str:
    """Of the netCDF."""
    return f"levy:job:{job_id}:draws"


def idempotency_key(owner: str, key: str) -> str:
    """Of the id that a key of one owner stands for; what clients choose is not kept in clear."""
    return "levy:job-of:" + sha256(f"{owner}\n{key}".encode()).hexdigest()
