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
from levy_schemas.wire import FiniteFloat, Flag, ModelName, ResponseModel

MAX_MODELS = 32


class ComparisonRequest(SurfaceRequest):
    """Quotes of one underlying, as a grid or as a list, and the models to compare.

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
        description="models to compare; all if absent",
    )
    holdout: Flag = Field(
        default=True,
        description="also fit every other strike, and every other expiry, and evaluate those fits "
        "on the strikes and expiries between",
    )


class ComparedModel(FittedModel):
    """One model's fit to all quotes, and its out-of-sample errors."""

    model_type: str
    fit_by_maturity: tuple[MaturityFit, ...]
    in_sample: FitQuality | None = Field(
        description="quality of a fit to every other strike on these; null without a holdout"
    )
    out_of_sample: FitQuality | None = Field(
        description="quality of that fit on the strikes between; null without a holdout"
    )
    held_out_expiries: FitQuality | None = Field(
        default=None,
        description="quality of a fit to every other expiry on the expiries between; null without "
        "a holdout, or with fewer than three expiries",
    )
    in_spread_share: FiniteFloat | None = Field(
        description="fraction of the quotes whose fitted price is between bid and ask; null if a "
        "quote has no bid and ask"
    )
    calibration_time_ms: FiniteFloat = Field(description="duration of all fits of this model")


class ModelNotFitted(ResponseModel):
    """A model that could not be fitted to these quotes, and why."""

    model_type: str
    code: str = Field(description="code of the problem")
    detail: str


class ComparisonResult(ResponseModel):
    """Models on one surface, best first.

    Ranked by the error of implied volatility on expiries that the fit has not seen; with fewer than
    three expiries, on strikes that it has not seen; without a holdout, in sample.
    """

    results: tuple[ComparedModel, ...]
    not_fitted: tuple[ModelNotFitted, ...] = ()
    weights: Weights
    n_quotes: int = Field(description="number of quotes fitted")
    comparison_time_ms: FiniteFloat
    model_version: str
    dropped: tuple[DroppedQuote, ...] = ()
    warnings: tuple[str, ...] = ()
    request_id: str | None = None
