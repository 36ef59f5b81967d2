"""`/calibrate/bayesian`: requests, jobs and results, and the layout of the job store in Redis.

The job store is the truth; Celery's queue only delivers ids of jobs. No key of the store has an
expiry, so that Redis under `maxmemory-policy volatile-lru` never evicts an accepted job; the
gateway deletes a job when its time is over. Times are seconds of Redis's clock.

| key | type | content |
|---|---|---|
| `levy:job:{id}` | hash | the job record, see `JobField` |
| `levy:job:{id}:draws` | string | InferenceData as netCDF |
| `levy:jobs:queued:{queue}` | sorted set | ids of queued jobs, by creation time |
| `levy:jobs:running` | sorted set | ids of running jobs, by expiry of the worker's lease |
| `levy:jobs:ended` | sorted set | ids of jobs that have ended, by the time of their deletion |
| `levy:job-of:{digest}` | string | id of the job that an idempotency key created |
| `levy:workers` | sorted set | names of workers, by their last heartbeat |
| `levy:engines` | sorted set | engines that workers have installed, by the last heartbeat |
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from levy_schemas.calibration import Interval
from levy_schemas.pricing import OptionType
from levy_schemas.problems import Problem
from levy_schemas.surface import (
    EXAMPLE_GRID,
    ONE_SURFACE_AND_ONE_MARKET,
    DroppedQuote,
    SurfaceRequest,
)
from levy_schemas.wire import (
    MAX_OPTIONS,
    MAX_PARAMETERS,
    Amount,
    Answer,
    FiniteFloat,
    MaturityYears,
    ModelName,
    ParameterName,
    ParameterValue,
    Request,
)

TASK: Final = "bayesian.sample"
"""Name of the Celery task; its only argument is the job's id, and it returns nothing."""

MAX_DRAWS: Final = 200_000
"""Draws of all chains together, warm-up included."""

WORKERS_KEY: Final = "levy:workers"
ENGINES_KEY: Final = "levy:engines"
HEARTBEAT_TIMEOUT_SECONDS: Final = 15
"""A worker counts as lost after so long without a heartbeat."""

RUNNING_KEY: Final = "levy:jobs:running"
ENDED_KEY: Final = "levy:jobs:ended"

Engine = Literal["numpyro-nuts", "numpyro-svi", "pymc-nuts", "pymc-advi", "laplace-psis"]
Likelihood = Literal["normal", "student_t"]
JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
JobField = Literal[
    "status",
    "owner",
    "queue",
    "request",
    "request_id",
    "created",
    "digest",
    "idempotency",
    "send_after",
    "attempts",
    "worker",
    "cancel",
    "progress",
    "diagnostics",
    "result",
    "problem",
]
"""`digest` identifies the request's content, `idempotency` is the key that leads to this job, the
task is sent again after `send_after`, and `worker` holds the lease."""

QueueName = Literal["bayesian.short", "bayesian.long"]

QUEUES: Final[tuple[QueueName, ...]] = ("bayesian.short", "bayesian.long")
QUEUE_OF: Final[dict[Engine, QueueName]] = {
    "numpyro-nuts": "bayesian.long",
    "numpyro-svi": "bayesian.short",
    "pymc-nuts": "bayesian.long",
    "pymc-advi": "bayesian.short",
    "laplace-psis": "bayesian.short",
}
EXTRA_OF: Final[dict[Engine, str]] = {"pymc-nuts": "pymc", "pymc-advi": "pymc"}
"""Extra that an engine requires beyond `bayesian`, with the name of the package it installs."""
ENDED: Final[frozenset[str]] = frozenset({"succeeded", "failed", "cancelled"})


def engine_not_installed(engine: Engine, installed: Sequence[Engine]) -> str:
    """Return the message for an engine that no worker can run."""
    return (
        f"Engine {engine} is not installed. Choose one of {', '.join(installed)}, or install the "
        f"workers with 'levy-calibration-engine[bayesian,{EXTRA_OF[engine]}]'."
    )


_NUMBERS: Final = {
    "normal": ("mu", "sigma"),
    "lognormal": ("mu", "sigma", "beyond"),
    "gamma": ("shape", "rate", "beyond"),
    "half_normal": ("sigma", "beyond"),
    "uniform": ("low", "high"),
}
_POSITIVE: Final = frozenset({"sigma", "shape", "rate"})


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

    @model_validator(mode="after")
    def _takes_its_numbers(self) -> Self:
        taken = _NUMBERS[self.distribution]
        given = set(self.model_fields_set) - {"distribution"}
        for name in sorted(given):
            if name not in taken:
                message = f"{self.distribution} takes {', '.join(taken)}"
                raise _refuse("no_such_number", message, f"/{name}")
        for name in taken:
            value = getattr(self, name)
            if value is None and name != "beyond":
                raise _refuse("number_missing", f"{self.distribution} needs {name}", f"/{name}")
            if name in _POSITIVE and not value > 0.0:
                raise _refuse("not_positive", f"{name} must be positive", f"/{name}")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise _refuse("empty_support", "high must exceed low", "/high")
        return self

    def described(self) -> dict[str, Any]:
        """Name and the numbers given."""
        return self.model_dump(exclude_none=True)


def _refuse(kind: str, message: str, place: str) -> PydanticCustomError:
    return PydanticCustomError(kind, message, {"pointer": place})


def _count(least: int, most: int) -> Any:
    return Field(strict=True, ge=least, le=most)


class NewOption(Request):
    """An option that is to be predicted."""

    strike: Amount
    maturity: MaturityYears = Field(description="in years")
    option_type: OptionType = "call"


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
    predict: tuple[NewOption, ...] = Field(
        default=(),
        max_length=MAX_OPTIONS,
        description="options to predict; their maturities need a forward as the quotes' do",
    )
    seed: Annotated[int, _count(0, 2**31 - 1)] = 0

    @model_validator(mode="after")
    def _forwards_of_what_is_predicted(self) -> Self:
        if self.forwards is None:
            return self
        known = {forward.maturity for forward in self.forwards}
        for i, option in enumerate(self.predict):
            if option.maturity not in known:
                message = f"forwards lack {option.maturity!r} years"
                raise _refuse("no_forward", message, f"/predict/{i}/maturity")
        return self

    @model_validator(mode="after")
    def _in_bounds(self) -> Self:
        draws = self.num_chains * (self.num_samples + self.num_warmup)
        if draws > MAX_DRAWS:
            message = f"{draws} draws of all chains, warm-up included; at most {MAX_DRAWS}"
            raise _refuse("too_many_draws", message, "")
        return self


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


class OptionPrediction(Answer):
    """What the posterior expects of an option that was asked for."""

    strike: FiniteFloat
    maturity: FiniteFloat = Field(description="in years")
    option_type: OptionType
    mean: FiniteFloat = Field(description="of the model's price, as the next two")
    median: FiniteFloat
    interval: Interval = Field(description="95%")
    quote_interval: Interval | None = Field(
        description="95%, a quote's error included; null by bid_ask: its spread is not known"
    )
    implied_vol: FiniteFloat | None = Field(
        description="median; null where a price determines none, as in the next"
    )
    implied_vol_interval: tuple[FiniteFloat | None, FiniteFloat | None] = Field(description="95%")


class BayesianResult(Answer):
    """A posterior, summarised; one that did not converge is told all the same."""

    model_type: str
    engine: Engine
    parameters: dict[str, ParameterSummary]
    correlations: dict[str, dict[str, FiniteFloat]]
    predictive: tuple[PredictiveInterval, ...]
    predicted: tuple[OptionPrediction, ...] = Field(
        default=(), description="options that the request asked to predict, in its order"
    )
    divergences: int
    pareto_k: FiniteFloat | None = None
    converged: bool
    reason: str = Field(description="why it counts as converged or not, in a sentence")
    draws: int = Field(description="of all chains together")
    seconds: FiniteFloat
    dropped: tuple[DroppedQuote, ...] = ()
    warnings: tuple[str, ...] = ()


class Diagnostics(Answer):
    """What draws say of themselves so far; null where an engine has no such thing, or not yet."""

    draws: int | None = Field(default=None, description="of all chains, warm-up aside")
    r_hat: FiniteFloat | None = Field(
        default=None, description="largest over the sampler's coordinates, of split chains"
    )
    divergences: int | None = Field(default=None, description="of these draws")
    acceptance_rate: FiniteFloat | None = Field(
        default=None, description="mean over the latest draws, warm-up included"
    )
    step_size: FiniteFloat | None = Field(default=None, description="mean over the chains")
    elbo: FiniteFloat | None = Field(
        default=None, description="bound that a variational fit raises, up to a constant"
    )
    pareto_k: FiniteFloat | None = Field(default=None, description="of the weights")


class JobStatus(Answer):
    """How a job stands."""

    job_id: str
    status: JobState
    progress: FiniteFloat = Field(ge=0.0, le=1.0, description="share done")
    result: BayesianResult | None = None
    problem: Problem | None = None
    diagnostics: Diagnostics | None = Field(
        default=None, description="as told last; null until there are draws"
    )


def job_key(job_id: str) -> str:
    """Return the key of the job record."""
    return f"levy:job:{job_id}"


def draws_key(job_id: str) -> str:
    """Return the key of the draws."""
    return f"levy:job:{job_id}:draws"


def queued_key(queue: str) -> str:
    """Return the key of the index of queued jobs."""
    return f"levy:jobs:queued:{queue}"


def idempotency_key(owner: str, key: str) -> str:
    """Return the key of the job id that an owner's idempotency key stands for, as a digest."""
    return "levy:job-of:" + sha256(f"{owner}\n{key}".encode()).hexdigest()


def broker_url(redis_url: str) -> str:
    """Return the URL that Celery expects: `redis+socket://` where Redis has `unix://`."""
    return redis_url.replace("unix://", "redis+socket://", 1)
