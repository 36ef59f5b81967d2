"""`/calibrate/bayesian`: requests, jobs and results, and the layout of the job store in Redis.

The job store is the truth; Celery's queue only delivers ids of jobs. No key of the store has an
expiry, and its Redis never evicts (`maxmemory-policy noeviction`); the gateway deletes a job when
its time is over, and rejects new jobs before the memory is full (`levy:jobs:reserved`). Times are
seconds of Redis's clock.

| key | type | content |
|---|---|---|
| `levy:job:{id}` | hash | the job record, see `JobField` |
| `levy:job:{id}:draws` | string | InferenceData as netCDF |
| `levy:jobs:queued:{queue}` | sorted set | ids of queued jobs, by creation time |
| `levy:jobs:served:{queue}` | sorted set | owners, by the last start of their jobs |
| `levy:jobs:running` | sorted set | ids of running jobs, by expiry of the worker's lease |
| `levy:jobs:ended` | sorted set | ids of jobs that have ended, by the time of their deletion |
| `levy:jobs:reserved` | hash | bytes that the results of unfinished jobs will need, by id |
| `levy:job-of:{digest}` | string | id of the job that an idempotency key created |
| `levy:workers` | sorted set | names of workers, by their last heartbeat |
| `levy:engines` | sorted set | engines that workers have installed, by the last heartbeat |
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AliasChoices, ConfigDict, Field, model_validator
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
    FiniteFloat,
    MaturityYears,
    ModelName,
    ParameterName,
    ParameterValue,
    Request,
    ResponseModel,
)

TASK: Final = "bayesian.sample"
"""Name of the Celery task; its only argument is the job's id, and it returns nothing.

A task of a queued job stands for one turn of its queue: the worker chooses the job that starts.
"""

MAX_DRAWS: Final = 200_000
"""Draws of all chains together, warm-up included."""

WORKERS_KEY: Final = "levy:workers"
ENGINES_KEY: Final = "levy:engines"
HEARTBEAT_TIMEOUT_SECONDS: Final = 15
"""A worker counts as lost after so long without a heartbeat."""

RUNNING_KEY: Final = "levy:jobs:running"
ENDED_KEY: Final = "levy:jobs:ended"
RESERVED_KEY: Final = "levy:jobs:reserved"

_DRAW_BYTES: Final = 8 * 14
"""Eight parameters and the noise, four statistics and a coordinate."""
_RESULT_BYTES: Final = 2**20
"""Importance-weighted points, the summary and the file's structure."""
_POINTWISE_BYTES: Final = 8 + 4
"""Log density and replicate of a quote at a draw."""
_MAX_POINTWISE_DRAWS: Final = 1000
_MAX_POINTWISE_VALUES: Final = 2**17

Engine = Literal["numpyro-nuts", "numpyro-svi", "pymc-nuts", "pymc-advi", "laplace-psis"]
Likelihood = Literal["discrepancy", "normal", "student_t"]
JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
Stage = Literal["queued", "fitting", "compiling", "warmup", "sampling", "summarising"]
JobField = Literal[
    "status",
    "owner",
    "queue",
    "request",
    "request_id",
    "created",
    "started",
    "digest",
    "idempotency",
    "send_after",
    "attempts",
    "crashes",
    "not_before",
    "worker",
    "cancel",
    "progress",
    "stage",
    "stage_progress",
    "estimated_end",
    "diagnostics",
    "result",
    "problem",
]
"""`digest` identifies the request's content, `idempotency` is the key that leads to this job, the
task is sent again after `send_after`, and `worker` holds the lease. `attempts` counts starts,
`crashes` those that the job itself ended, and the job is not started again before `not_before`.
`created`, `started` and `estimated_end` are seconds since 1970."""

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


_PARAMETERS: Final = {
    "normal": ("mu", "sigma"),
    "lognormal": ("mu", "sigma", "loc"),
    "gamma": ("shape", "rate", "loc"),
    "half_normal": ("sigma", "loc"),
    "uniform": ("low", "high"),
}
_POSITIVE: Final = frozenset({"sigma", "shape", "rate"})


def _with_deprecated_beyond(schema: dict[str, Any]) -> None:
    """Document the former name of `loc`, which is still accepted."""
    schema["properties"]["beyond"] = schema["properties"]["loc"] | {
        "title": "Beyond",
        "deprecated": True,
        "description": "use loc",
    }


class Prior(Request):
    """Distribution of one parameter, with the numbers that the distribution requires."""

    model_config = ConfigDict(json_schema_extra=_with_deprecated_beyond)

    distribution: Literal["normal", "lognormal", "gamma", "half_normal", "uniform"]
    mu: ParameterValue | None = None
    sigma: ParameterValue | None = None
    shape: ParameterValue | None = None
    rate: ParameterValue | None = None
    low: ParameterValue | None = None
    high: ParameterValue | None = None
    loc: ParameterValue | None = Field(
        default=None,
        validation_alias=AliasChoices("loc", "beyond"),
        description="lower end of the support; 0 if absent",
    )

    @model_validator(mode="after")
    def _has_its_parameters(self) -> Self:
        allowed = _PARAMETERS[self.distribution]
        for name in sorted(set(self.model_fields_set) - {"distribution"}):
            if name not in allowed:
                message = f"{self.distribution} has no {name}; it takes {', '.join(allowed)}"
                raise _error("unknown_parameter", message, f"/{name}")
        for name in allowed:
            value = getattr(self, name)
            if value is None and name != "loc":
                message = f"{self.distribution} requires {name} (missing)"
                raise _error("missing_parameter", message, f"/{name}")
            if name in _POSITIVE and not value > 0.0:
                raise _error("not_positive", f"{name} must be positive", f"/{name}")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise _error("empty_support", "high must exceed low", "/high")
        return self

    def spec(self) -> dict[str, Any]:
        """Return the name and the given numbers of the distribution."""
        return self.model_dump(exclude_none=True)


def _error(kind: str, message: str, pointer: str) -> PydanticCustomError:
    return PydanticCustomError(kind, message, {"pointer": pointer})


def _count(minimum: int, maximum: int) -> Any:
    return Field(strict=True, ge=minimum, le=maximum)


class NewOption(Request):
    """An option to predict."""

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
        default_factory=dict,
        max_length=MAX_PARAMETERS,
        description="replace the default priors",
        json_schema_extra={"additionalProperties": False},
    )
    likelihood: Likelihood = Field(
        default="discrepancy",
        description="errors of the quotes: correlated by a smooth discrepancy between model and "
        "market; independent and normal; independent, Student's t with four degrees of freedom",
    )
    predict: tuple[NewOption, ...] = Field(
        default=(),
        max_length=MAX_OPTIONS,
        description="options to predict; with `forwards`, their maturities need one too",
    )
    seed: Annotated[int, _count(0, 2**31 - 1)] = 0

    @model_validator(mode="after")
    def _has_forwards_of_predictions(self) -> Self:
        if self.forwards is None:
            return self
        maturities = {forward.maturity for forward in self.forwards}
        for i, option in enumerate(self.predict):
            if option.maturity not in maturities:
                message = f"forwards has no entry with maturity {option.maturity!r}; add one"
                raise _error("no_forward", message, f"/predict/{i}/maturity")
        return self

    @model_validator(mode="after")
    def _has_allowed_draws(self) -> Self:
        draws = self.num_chains * (self.num_samples + self.num_warmup)
        if draws > MAX_DRAWS:
            message = (
                f"{draws} draws of all chains, warm-up included; at most {MAX_DRAWS} are allowed"
            )
            raise _error("too_many_draws", message, "")
        return self


class JobAccepted(ResponseModel):
    """A job that was created."""

    job_id: str
    status_url: str


class ParameterSummary(ResponseModel):
    """Posterior of one parameter, and the convergence diagnostics of its draws."""

    mean: FiniteFloat
    sd: FiniteFloat
    median: FiniteFloat | None = None
    interval: Interval = Field(description="95%")
    r_hat: FiniteFloat | None = Field(description="null if there is only one chain")
    ess_bulk: FiniteFloat | None
    ess_tail: FiniteFloat | None


class PredictiveInterval(ResponseModel):
    """Posterior predictive distribution of one quote."""

    strike: FiniteFloat
    maturity: FiniteFloat = Field(description="in years")
    mean: FiniteFloat = Field(description="discrepancy between model and market included")
    interval: Interval = Field(description="95%, quote errors and discrepancy included")


class OptionPrediction(ResponseModel):
    """Posterior predictive distribution of one option of `predict`."""

    strike: FiniteFloat
    maturity: FiniteFloat = Field(description="in years")
    option_type: OptionType
    mean: FiniteFloat = Field(description="of the model price, like the next two")
    median: FiniteFloat
    interval: Interval = Field(description="95%")
    quote_interval: Interval | None = Field(
        description="95%, quote error and discrepancy included; for weights bid_ask the spread is "
        "interpolated from the quotes; null in results of former versions only"
    )
    implied_vol: FiniteFloat | None = Field(
        description="median; null where the price does not determine it, as in the next"
    )
    implied_vol_interval: tuple[FiniteFloat | None, FiniteFloat | None] = Field(description="95%")


class Misfit(ResponseModel):
    """Errors of the posterior mean of the model's prices."""

    detected: bool = Field(
        description="whether errors at adjacent strikes are correlated and exceed 0.1 volatility "
        "points: the model cannot fit the quotes, however well the sampler converged"
    )
    rmse_vol_points: FiniteFloat | None = Field(
        description="root mean square error of implied volatility, in points (0.01)"
    )
    within_spread: FiniteFloat | None = Field(
        description="share of the quotes within bid and ask; null without them"
    )
    adjacent_correlation: FiniteFloat | None = Field(
        description="correlation of errors at adjacent strikes of an expiry; 0 if independent"
    )


class BayesianResult(ResponseModel):
    """Summary of a posterior; also returned if it did not converge."""

    model_type: str
    engine: Engine
    likelihood: Likelihood = Field(
        default="normal",
        description="the likelihood that was used; normal instead of discrepancy if there are too "
        "few quotes to estimate it",
    )
    parameters: dict[str, ParameterSummary]
    correlations: dict[str, dict[str, FiniteFloat]]
    predictive: tuple[PredictiveInterval, ...]
    predicted: tuple[OptionPrediction, ...] = Field(
        default=(), description="predictions of the options in `predict`, in their order"
    )
    divergences: int
    pareto_k: FiniteFloat | None = None
    converged: bool
    reason: str = Field(description="why the posterior is, or is not, considered converged")
    misfit: Misfit | None = None
    draws: int = Field(description="number of draws of all chains")
    thinned_draws: dict[str, tuple[FiniteFloat, ...]] = Field(
        default_factory=dict,
        description="draws of each parameter for charts: at most 400 of all chains, evenly spaced; "
        "entries of one place belong together",
        examples=[{"sigma": [0.201, 0.198], "nu": [0.39, 0.42]}],
    )
    seconds: FiniteFloat
    dropped: tuple[DroppedQuote, ...] = ()
    warnings: tuple[str, ...] = ()


class Diagnostics(ResponseModel):
    """Diagnostics of the draws so far; null if not available for the engine, or not yet."""

    draws: int | None = Field(default=None, description="draws of all chains, without warm-up")
    r_hat: FiniteFloat | None = Field(
        default=None, description="largest split R-hat of the sampler's coordinates"
    )
    divergences: int | None = Field(default=None, description="divergent draws")
    acceptance_rate: FiniteFloat | None = Field(
        default=None, description="mean over the latest draws, warm-up included"
    )
    step_size: FiniteFloat | None = Field(default=None, description="mean over the chains")
    elbo: FiniteFloat | None = Field(
        default=None, description="evidence lower bound of a variational fit, up to a constant"
    )
    pareto_k: FiniteFloat | None = Field(
        default=None, description="Pareto k of the importance weights"
    )


class JobStatus(ResponseModel):
    """Status of a job."""

    job_id: str
    status: JobState
    progress: FiniteFloat = Field(
        ge=0.0, le=1.0, description="fraction completed; 0 until the first draws"
    )
    stage: Stage | None = Field(
        default=None,
        description="what the job does now: queued; fitting the model, or a variational "
        "distribution; compiling; warmup; sampling; summarising; null once it has ended",
        examples=["compiling"],
    )
    stage_progress: FiniteFloat | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="fraction of the stage completed; null where it is unknown, as of compilation",
        examples=[0.35],
    )
    created_at: datetime | None = Field(
        default=None, description="time of submission", examples=["2026-03-16T14:30:00Z"]
    )
    started_at: datetime | None = Field(
        default=None,
        description="time of the latest start; null while queued",
        examples=["2026-03-16T14:30:02Z"],
    )
    queue_position: int | None = Field(
        default=None,
        description="place in its queue by time of submission, 1 for the next; API keys take "
        "turns, so that it may move back; null once it has started",
        examples=[1],
    )
    remaining_seconds: FiniteFloat | None = Field(
        default=None,
        description="estimate from the rate of progress, without compilation; null until it is "
        "measured",
        examples=[12.5],
    )
    result: BayesianResult | None = None
    problem: Problem | None = None
    diagnostics: Diagnostics | None = Field(
        default=None, description="latest diagnostics; null until there are draws"
    )


def result_bytes(request: BayesianRequest) -> int:
    """Return an upper estimate of the memory for the draws and the result of a job."""
    n_draws = request.num_chains * request.num_samples
    n_quotes = len(request.quotes or ()) or len(request.strikes or ()) * len(
        request.maturities or ()
    )
    n_values = n_quotes * min(n_pointwise_draws(n_quotes), n_draws)
    return _RESULT_BYTES + _DRAW_BYTES * n_draws + _POINTWISE_BYTES * n_values


def n_pointwise_draws(n_quotes: int) -> int:
    """Return the most draws, of all chains together, for which values of each quote are stored."""
    return min(_MAX_POINTWISE_DRAWS, _MAX_POINTWISE_VALUES // n_quotes)


def job_key(job_id: str) -> str:
    """Return the key of the job record."""
    return f"levy:job:{job_id}"


def draws_key(job_id: str) -> str:
    """Return the key of the draws."""
    return f"levy:job:{job_id}:draws"


def queued_key(queue: str) -> str:
    """Return the key of the index of queued jobs."""
    return f"levy:jobs:queued:{queue}"


def served_key(queue: str) -> str:
    """Return the key of the index of owners by their last start."""
    return f"levy:jobs:served:{queue}"


def idempotency_key(owner: str, key: str) -> str:
    """Return the key of the job id that an owner's idempotency key stands for, as a digest."""
    return "levy:job-of:" + sha256(f"{owner}\n{key}".encode()).hexdigest()


def broker_url(redis_url: str) -> str:
    """Return the URL that Celery expects: `redis+socket://` where Redis has `unix://`."""
    return redis_url.replace("unix://", "redis+socket://", 1)
