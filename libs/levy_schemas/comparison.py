"""`POST /compare`."""

from pydantic import ConfigDict, Field

from levy_schemas.calibration import FitQuality, FittedModel, MaturityFit
from levy_schemas.surface import (
    EXAMPLE_GRID,
    ONE_SURFACE_AND_ONE_MARKET,
    DroppedQuote,
    SurfaceRequest,
    Weights,
)
from levy_schemas.wire import Answer, FiniteFloat, Flag, ModelName

MAX_MODELS = 32


class ComparisonRequest(SurfaceRequest):
    """Quotes of one underlying, as a grid or as a list, and the models to compare on them.

    A grid is `strikes`, `maturities` and `prices`; a list is `quotes`. The market is
    `spot_price`, `risk_free_rate` and `dividend_yield`, or `forwards`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": ONE_SURFACE_AND_ONE_MARKET,
            "examples": [EXAMPLE_GRID | {"models": ["BlackScholes", "VarianceGamma", "NIG"]}],
        }
    )

    models: tuple[ModelName, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_MODELS,
        description="to compare; every model there is if absent",
    )
    weights: Weights = Field(
        default="vega", description="vega: as errors in implied volatility; bid_ask: in spreads"
    )
    holdout: Flag = Field(
        default=True,
        description="also fit every other strike alone, and judge that fit by the strikes between",
    )


class ComparedModel(FittedModel):
    """One model's fit to all quotes, and how it did on strikes that it had not seen."""

    model_type: str
    fit_by_maturity: tuple[MaturityFit, ...]
    in_sample: FitQuality | None = Field(
        description="of a fit to every other strike, on those; null without a holdout"
    )
    out_of_sample: FitQuality | None = Field(
        description="of that fit, on the strikes between; null without a holdout"
    )
    in_spread_share: FiniteFloat | None = Field(
        description="share of the quotes whose fitted price lies between bid and ask; null where "
        "a quote has none"
    )
    calibration_time_ms: FiniteFloat = Field(description="of all fits of this model")


class ModelNotFitted(Answer):
    """A model that could not be fitted to these quotes, and why."""

    model_type: str
    code: str = Field(description="of the problem")
    detail: str


class ComparisonResult(Answer):
    """Models on one surface, best first.

    Ranked by the error of implied volatility out of sample; without a holdout, in sample.
    """

    results: tuple[ComparedModel, ...]
    not_fitted: tuple[ModelNotFitted, ...] = ()
    weights: Weights
    n_quotes: int = Field(description="quotes fitted")
    comparison_time_ms: FiniteFloat
    model_version: str
    dropped: tuple[DroppedQuote, ...] = ()
    warnings: tuple[str, ...] = ()
    request_id: str | None = None
