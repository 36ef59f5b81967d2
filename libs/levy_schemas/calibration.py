"""`POST /calibrate`."""

from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import (
    AliasChoices,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    computed_field,
    model_validator,
)
from pydantic_core import PydanticCustomError

from levy_schemas.pricing import OptionType
from levy_schemas.problems import Problem
from levy_schemas.surface import (
    EXAMPLE_GRID,
    ONE_SURFACE_AND_ONE_MARKET,
    DroppedQuote,
    SurfaceRequest,
    Weights,
)
from levy_schemas.wire import FiniteFloat, Flag, ModelName, Request, ResponseModel

MAX_SURFACES = 64
"""Surfaces in one batch; the limit on a body may be reached before."""

CalibrationMethod = Literal["hybrid", "neural", "least_squares"]
Uncertainty = Literal["robust", "discrepancy", "laplace_iid", "psis", "none", "laplace"]
"""`laplace` is the former name of the default, deprecated."""
UncertaintyUsed = Literal["robust", "discrepancy", "laplace_iid", "psis", "network"]
FitStatus = Literal["converged", "max_evaluations", "stalled", "diverged", "at_bound", "proposed"]
"""`proposed`: a network's output that was not refined by a fit."""
Interval = tuple[FiniteFloat, FiniteFloat]


_AMERICAN_EXAMPLE: Final[dict[str, Any]] = {
    "model_type": "BlackScholes",
    "spot_price": 100.0,
    "risk_free_rate": 0.05,
    "exercise": "american",
    "quotes": [
        {"strike": 95, "maturity": 1, "option_type": "put", "bid": 3.99, "ask": 4.03},
        {"strike": 105, "maturity": 1, "option_type": "put", "bid": 8.72, "ask": 8.76},
        {"strike": 105, "maturity": 1, "option_type": "call", "bid": 8.00, "ask": 8.04},
    ],
}


class CalibrationRequest(SurfaceRequest):
    """Quotes of one underlying, as a grid or as a list, and how to fit them.

    A grid is `strikes`, `maturities` and `prices`; a list is `quotes`. The market is
    `spot_price`, `risk_free_rate` and `dividend_yield`, or `forwards`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": ONE_SURFACE_AND_ONE_MARKET,
            "examples": [
                EXAMPLE_GRID | {"model_type": "VarianceGamma"},
                _AMERICAN_EXAMPLE,
            ],
        }
    )

    allows_american: ClassVar[bool] = True

    model_type: ModelName
    per_maturity: Flag = Field(
        default=False, description="fit each expiry separately (models with stationary increments)"
    )
    method: CalibrationMethod = "hybrid"
    uncertainty: Uncertainty = Field(
        default="robust",
        description="robust: intervals that allow for correlated errors and misfit, by the "
        "jackknife over expiries; discrepancy: the same by a Gaussian process on the residuals, "
        "slower; laplace_iid: for independent errors of equal variance; psis: from the posterior; "
        "none. laplace is a deprecated name of robust",
    )
    explain: Flag = Field(
        default=False,
        description="add the influence of each quote on the parameters; requires one fit of all "
        "expiries",
    )

    @model_validator(mode="after")
    def _fits_american_quotes_together(self) -> Self:
        if not self.has_american:
            return self
        if self.per_maturity:
            message = "American quotes require one model for all expiries; omit per_maturity"
            raise PydanticCustomError("american", message, {"pointer": "/per_maturity"})
        if self.method == "neural":
            message = (
                "American quotes require a fit, which determines their early-exercise premium; "
                "request hybrid or least_squares"
            )
            raise PydanticCustomError("american", message, {"pointer": "/method"})
        return self


class FitQuality(ResponseModel):
    """Errors of the fitted prices."""

    rmse: FiniteFloat = Field(description="root mean squared price error, in currency")
    relative_error: FiniteFloat = Field(description="mean of |error| / price (ARPE)")
    implied_vol_rmse: FiniteFloat | None = Field(
        description="root mean squared error of implied volatility, over the quotes whose market "
        "and model prices both determine one; null if there are none"
    )
    n_implied_vols: int | None = Field(
        default=None, description="number of quotes in implied_vol_rmse"
    )
    aae: FiniteFloat = Field(description="mean absolute error, in currency (AAE)")
    ape: FiniteFloat = Field(description="mean absolute error over the mean price (APE)")
    n_quotes: int = Field(description="number of quotes fitted")


class Moment(ResponseModel):
    """A moment of the log return; quotes may determine it where they do not the parameters."""

    value: FiniteFloat | None = Field(description="null if the moment does not exist")
    interval: Interval | None = Field(
        description="95% confidence interval; null if not requested or not available"
    )
    is_extrapolated: bool = Field(
        default=False,
        description="whether it depends mostly on maturities or strikes beyond the quotes: the "
        "interval then holds only if the model's tails are right",
    )


class MaturityFit(ResponseModel):
    """Errors of the fitted prices of one expiry."""

    maturity: FiniteFloat = Field(description="in years")
    fit_quality: FitQuality
    mean_vol_error: FiniteFloat | None = Field(
        description="mean of model minus market implied volatility; null if no quote has one"
    )
    moments: dict[str, Moment] = Field(
        description="variance, skewness and excess_kurtosis of the log return at this maturity"
    )


class QuoteInfluence(ResponseModel):
    """How much a fit rests on a quote, by the derivatives of Gauss-Newton, (JᵀWJ)⁻¹JᵀW."""

    strike: FiniteFloat
    maturity: FiniteFloat = Field(description="in years")
    option_type: OptionType
    leverage: FiniteFloat = Field(
        description="diagonal of the hat matrix: from 0 to 1, where the quote alone determines a "
        "direction"
    )
    cook_distance: FiniteFloat = Field(
        description="distance by which the fit moves without this quote, in standard errors, "
        "squared, per parameter (Cook 1977)"
    )
    per_vol_point: dict[str, FiniteFloat] = Field(
        description="change of each parameter per point (0.01) of the quote's implied volatility; "
        "0 where its price determines none"
    )
    without: dict[str, FiniteFloat] = Field(
        description="change of each parameter where the quote is left out, to first order"
    )


def _deprecated(replacement: str) -> dict[str, Any]:
    return {"deprecated": True, "description": f"deprecated: use {replacement}"}


class _Fit(ResponseModel):
    """Fields of every fit, and deprecated names of two of them."""

    parameters: dict[str, FiniteFloat] | None = Field(
        description="null if each expiry has its own: see per_maturity"
    )
    status: FitStatus
    reason: str = Field(description="why the fit ended")
    fit_quality: FitQuality
    intervals: dict[str, Interval | None] | None = Field(
        description="95% confidence interval of each parameter; null if not requested or not "
        "available"
    )
    uncertainty: UncertaintyUsed | None = Field(
        default=None,
        description="how the intervals were computed; null if there are none. laplace_iid replaces "
        "the others if there are at most two quotes more than parameters",
    )
    correlations: dict[str, dict[str, FiniteFloat | None]] | None = Field(
        default=None,
        description="correlations of the estimates, by the uncertainty that the intervals have; "
        "null if it is not robust, discrepancy or laplace_iid, or has fewer degrees of freedom "
        "than parameters (robust with few expiries); an entry is null where one has no finite "
        "standard error",
    )
    singular_values: tuple[FiniteFloat, ...] | None = Field(
        description="of the Jacobian at the optimum; a small one is a direction not identified"
    )
    moments: dict[str, Moment] | None = Field(
        validation_alias=AliasChoices("moments", "functionals"),
        description="variance, skewness and excess_kurtosis of the log return at one year",
    )
    boundary_parameters: tuple[str, ...] = Field(
        default=(),
        validation_alias=AliasChoices("boundary_parameters", "limits"),
        description="limits of parameters, such as G → 0, if the best fit is a limiting case of "
        "the model",
    )
    n_evaluations: int
    warnings: tuple[str, ...] = ()

    @computed_field(json_schema_extra=_deprecated("moments"))  # type: ignore[prop-decorator]
    @property
    def functionals(self) -> dict[str, Moment] | None:
        """Former name of `moments`."""
        return self.moments

    @computed_field(json_schema_extra=_deprecated("boundary_parameters"))  # type: ignore[prop-decorator]
    @property
    def limits(self) -> tuple[str, ...]:
        """Former name of `boundary_parameters`."""
        return self.boundary_parameters


class FittedModel(_Fit):
    """A fit with one set of parameters."""

    parameters: dict[str, FiniteFloat]
    singular_values: tuple[FiniteFloat, ...] = Field(
        description="of the Jacobian at the optimum; a small one is a direction not identified"
    )


class MaturityCalibration(FittedModel):
    """The fit of one expiry."""

    maturity: FiniteFloat = Field(description="in years")


class EarlyExercisePremium(ResponseModel):
    """Early-exercise premium that was subtracted from one American quote."""

    pointer: str = Field(description="JSON pointer into the request")
    premium: FiniteFloat = Field(description="in currency")
    premium_vol: FiniteFloat | None = Field(
        description="volatility by which the quote would be overstated as European; null where "
        "price or European equivalent implies none"
    )


class QuotedForward(ResponseModel):
    """Forward of one expiry, by put-call parity between European equivalents or as requested."""

    maturity: FiniteFloat = Field(description="in years")
    forward: FiniteFloat
    discount: FiniteFloat
    source: str = Field(description="put-call parity, or the request")


class RemovedEarlyExercise(ResponseModel):
    """How American quotes were fitted: by their European equivalents, at a fixed point.

    The premiums that were subtracted are those of the fitted model.
    """

    method: Literal["de-americanised with the premium of the fitted model"]
    n_fits: int = Field(description="fits until the premiums repeated")
    converged: bool = Field(description="whether the premiums are those of the fitted model")
    change: FiniteFloat = Field(
        description="largest difference of the premiums subtracted from those of the fitted model, "
        "in currency"
    )
    largest_premium: FiniteFloat = Field(description="in currency")
    largest_premium_vol: FiniteFloat | None = Field(description="largest premium_vol")
    premiums: tuple[EarlyExercisePremium, ...] = Field(description="of the quotes fitted")
    forwards: tuple[QuotedForward, ...] = Field(description="forwards that were used")


class CalibrationResult(_Fit):
    """The fit of a model to a surface of quotes, with its uncertainty.

    With `per_maturity`, each expiry's fit is in `per_maturity`: `parameters`, `intervals`,
    `correlations`, `singular_values` and `moments` are null, `status` is the worst of all expiries,
    `boundary_parameters` those of any, and `fit_quality` that of all expiries together.
    """

    model_type: str
    calibration_time_ms: FiniteFloat
    pareto_k: FiniteFloat | None = None
    fit_by_maturity: tuple[MaturityFit, ...] = Field(description="fit quality of each expiry")
    per_maturity: tuple[MaturityCalibration, ...] | None = Field(
        default=None, description="separate fits of the expiries, if requested"
    )
    method: CalibrationMethod = Field(description="method that produced the result")
    weights: Weights | None = Field(
        default=None, description="unit of the errors that were minimised"
    )
    degraded: bool = Field(description="whether the result is less than requested; see warnings")
    out_of_distribution: bool = False
    early_exercise: RemovedEarlyExercise | None = Field(
        default=None, description="of American quotes: the premiums that were subtracted"
    )
    model_version: str
    dropped: tuple[DroppedQuote, ...] = ()
    influence: tuple[QuoteInfluence, ...] | None = Field(
        default=None, description="of the fitted quotes, largest Cook's distance first; if explain"
    )
    request_id: str | None = None


class CalibrationBatch(Request):
    """Surfaces to fit, each with its own model and options."""

    surfaces: tuple[CalibrationRequest, ...] = Field(min_length=1, max_length=MAX_SURFACES)


class SurfaceOutcome(ResponseModel):
    """Result or problem of one surface of a batch."""

    result: CalibrationResult | None = None
    problem: Problem | None = None


class CalibrationBatchResult(ResponseModel):
    """Outcomes in the order of the surfaces; a failed surface does not fail the batch."""

    results: tuple[SurfaceOutcome, ...]
    calibration_time_ms: FiniteFloat = Field(description="duration of the batch")
    request_id: str | None = None


def _body_tag(value: Any) -> str:
    is_batch = (
        "surfaces" in value if isinstance(value, dict) else isinstance(value, CalibrationBatch)
    )
    return "[batch]" if is_batch else "[one]"


CalibrationBody = Annotated[
    Annotated[CalibrationRequest, Tag("[one]")] | Annotated[CalibrationBatch, Tag("[batch]")],
    Discriminator(_body_tag),
]
"""Body of `POST /calibrate`: a batch if it has `surfaces`. Pointers leave out tags in brackets."""
