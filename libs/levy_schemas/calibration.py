"""`POST /calibrate`."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from levy_schemas.problems import Problem
from levy_schemas.surface import (
    EXAMPLE_GRID,
    ONE_SURFACE_AND_ONE_MARKET,
    DroppedQuote,
    SurfaceRequest,
)
from levy_schemas.wire import Answer, FiniteFloat, Flag, ModelName, Request

MAX_SURFACES = 64
"""Surfaces in one batch; the limit on a body may be reached before."""

CalibrationMethod = Literal["hybrid", "neural", "least_squares"]
Uncertainty = Literal["laplace", "psis", "none"]
FitStatus = Literal["converged", "max_evaluations", "stalled", "diverged", "at_bound", "proposed"]
"""`proposed`: a network's answer as it stands, which nothing has fitted."""
Interval = tuple[FiniteFloat, FiniteFloat]


class CalibrationRequest(SurfaceRequest):
    """Quotes of one underlying, as a grid or as a list, and how to fit them.

    A grid is `strikes`, `maturities` and `prices`; a list is `quotes`. The market is
    `spot_price`, `risk_free_rate` and `dividend_yield`, or `forwards`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": ONE_SURFACE_AND_ONE_MARKET,
            "examples": [EXAMPLE_GRID | {"model_type": "VarianceGamma"}],
        }
    )

    model_type: ModelName
    per_maturity: Flag = Field(
        default=False, description="one fit of a stationary model for each expiry"
    )
    method: CalibrationMethod = "hybrid"
    uncertainty: Uncertainty = "laplace"


class FitQuality(Answer):
    """How well the model reprices the quotes it was fitted to."""

    rmse: FiniteFloat = Field(description="root mean squared price error, in currency")
    relative_error: FiniteFloat = Field(description="mean of |error| / price (ARPE)")
    implied_vol_rmse: FiniteFloat | None = Field(
        description="root mean squared error in volatility, over the quotes for which the prices "
        "of market and model both determine one; null where there are none"
    )
    n_implied_vols: int | None = Field(
        default=None, description="quotes counted in implied_vol_rmse"
    )
    aae: FiniteFloat = Field(description="mean absolute error, in currency (AAE)")
    ape: FiniteFloat = Field(description="mean absolute error over the mean price (APE)")
    n_quotes: int = Field(description="quotes fitted")


class MaturityFit(Answer):
    """How well one expiry is met."""

    maturity: FiniteFloat = Field(description="in years")
    fit_quality: FitQuality
    mean_vol_error: FiniteFloat | None = Field(
        description="implied volatility of the model less the market's, on average; null where no "
        "quote has one"
    )


class Functional(Answer):
    """A property of the distribution at one year, determined even where parameters are not."""

    value: FiniteFloat | None = Field(description="null where the distribution has none")
    interval: Interval | None = Field(
        description="95%; null where none was asked, or none can be said"
    )


class FittedModel(Answer):
    """Parameters that a fit found, and what they are worth."""

    parameters: dict[str, FiniteFloat]
    status: FitStatus
    reason: str = Field(description="why the fit ended, in a sentence")
    fit_quality: FitQuality
    intervals: dict[str, Interval | None] | None = Field(
        description="95% of each parameter; null where none was asked, or none can be said"
    )
    singular_values: tuple[FiniteFloat, ...] = Field(
        description="of the Jacobian at the optimum; a small one is a direction not identified"
    )
    functionals: dict[str, Functional] = Field(
        description="variance, skewness and excess_kurtosis of S/F, price over forward, at one year"
    )
    limits: tuple[str, ...] = Field(
        description="limits that parameters run to, where the best fit is one of the model; "
        "G → 0 for one"
    )
    n_evaluations: int
    warnings: tuple[str, ...] = ()


class MaturityCalibration(FittedModel):
    """The fit of one expiry on its own."""

    maturity: FiniteFloat = Field(description="in years")


class CalibrationResult(Answer):
    """Parameters, how well they fit, and how sure they are.

    With `per_maturity`, the fits are in `per_maturity`: `parameters`, `intervals`,
    `singular_values` and `functionals` are null, `status` is the worst of them, `limits` names
    those of any, and `fit_quality` is that of all expiries together.
    """

    model_type: str
    parameters: dict[str, FiniteFloat] | None = Field(
        description="null where each expiry has its own: see per_maturity"
    )
    status: FitStatus
    reason: str = Field(description="why the fit ended, in a sentence")
    calibration_time_ms: FiniteFloat
    fit_quality: FitQuality
    intervals: dict[str, Interval | None] | None = Field(
        description="95% of each parameter; null where none was asked, or none can be said"
    )
    pareto_k: FiniteFloat | None = None
    singular_values: tuple[FiniteFloat, ...] | None = Field(
        description="of the Jacobian at the optimum; a small one is a direction not identified"
    )
    functionals: dict[str, Functional] | None = Field(
        description="variance, skewness and excess_kurtosis of S/F, price over forward, at one year"
    )
    limits: tuple[str, ...] = Field(
        default=(),
        description="limits that parameters run to, where the best fit is one of the model; "
        "G → 0 for one",
    )
    fit_by_maturity: tuple[MaturityFit, ...] = Field(
        description="fit quality expiry by expiry: where a whole surface is missed"
    )
    per_maturity: tuple[MaturityCalibration, ...] | None = Field(
        default=None, description="one fit for each expiry, by maturity, where that was asked"
    )
    n_evaluations: int
    method: CalibrationMethod = Field(description="how it was fitted in the end")
    degraded: bool = Field(description="whether this is less than what was asked")
    out_of_distribution: bool = False
    model_version: str
    dropped: tuple[DroppedQuote, ...] = ()
    warnings: tuple[str, ...] = ()
    request_id: str | None = None


class CalibrationBatch(Request):
    """Surfaces that are fitted together, each with its own model and options."""

    surfaces: tuple[CalibrationRequest, ...] = Field(min_length=1, max_length=MAX_SURFACES)


class SurfaceAnswer(Answer):
    """What became of one surface of a batch: a result, or a problem."""

    result: CalibrationResult | None = None
    problem: Problem | None = None


class CalibrationBatchResult(Answer):
    """Answers in the order of the surfaces; one that cannot be fitted does not sink the others."""

    results: tuple[SurfaceAnswer, ...]
    calibration_time_ms: FiniteFloat = Field(description="of all of them together")
    request_id: str | None = None


def _one_or_many(value: Any) -> str:
    many = "surfaces" in value if isinstance(value, dict) else isinstance(value, CalibrationBatch)
    return "[many]" if many else "[one]"


CalibrationBody = Annotated[
    Annotated[CalibrationRequest, Tag("[one]")] | Annotated[CalibrationBatch, Tag("[many]")],
    Discriminator(_one_or_many),
]
"""Body of `POST /calibrate`: with `surfaces` it is a batch. Tags in brackets are left out of
pointers, as those of pydantic's own are."""
