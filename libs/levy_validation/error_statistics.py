"""Accuracy of predictions, and diagnostics of their errors."""

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from scipy import stats

from levy_numerics.calibration.fit_quality import PricingErrors
from levy_numerics.calibration.moments import MOMENTS, log_return_moments
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing import price

BASIS_POINTS: Final = 1e4
# Below this number tests of normality have hardly any power.
_FEWEST: Final = 8
_TOLERANCE: Final = 1e-9
_ONE_YEAR: Final = np.ones(1)


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of n predictions of a quantity.

    Attributes
    ----------
    n : int
        Pairs that are both finite.
    r2 : float
        1 − Σ(predicted − actual)²/Σ(actual − mean)²; NaN where actual values are equal.
    mae, rmse, bias : float
        Mean absolute error, root-mean-square error and mean error, in the quantity's unit.
    """

    n: int
    r2: float
    mae: float
    rmse: float
    bias: float

    @classmethod
    def of(cls, actual: np.ndarray, predicted: np.ndarray) -> Self:
        """Compare predictions with actual values, shapes (n,)."""
        finite = np.isfinite(actual) & np.isfinite(predicted)
        y, error = actual[finite], predicted[finite] - actual[finite]
        if not y.size:
            return cls(0, math.nan, math.nan, math.nan, math.nan)
        squares, variation = float(error @ error), float(np.sum((y - y.mean()) ** 2))
        return cls(
            n=y.size,
            r2=1.0 - squares / variation if variation > 0.0 else math.nan,
            mae=float(np.abs(error).mean()),
            rmse=math.sqrt(squares / y.size),
            bias=float(error.mean()),
        )


@dataclass(frozen=True)
class Normality:
    """Tests of whether errors are normal.

    Attributes
    ----------
    n : int
    skewness, excess_kurtosis : float
    shapiro, jarque_bera, dagostino : float
        p-values of the tests of Shapiro and Wilk, Jarque and Bera, and D'Agostino and Pearson; NaN
        for fewer than eight errors.
    """

    n: int
    skewness: float
    excess_kurtosis: float
    shapiro: float
    jarque_bera: float
    dagostino: float

    @classmethod
    def of(cls, errors: np.ndarray) -> Self:
        """Test errors, shape (n,)."""
        e = errors[np.isfinite(errors)]
        if e.size < _FEWEST or np.ptp(e) == 0.0:
            return cls(e.size, math.nan, math.nan, math.nan, math.nan, math.nan)
        return cls(
            n=e.size,
            skewness=float(stats.skew(e)),
            excess_kurtosis=float(stats.kurtosis(e)),
            shapiro=float(stats.shapiro(e).pvalue),
            jarque_bera=float(stats.jarque_bera(e).pvalue),
            dagostino=float(stats.normaltest(e).pvalue),
        )


def normal_quantiles(errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return quantiles of the normal distribution and the ordered errors, for a Q-Q plot.

    Plotting positions are (k − 3/8)/(n + 1/4) (Blom, 1958).
    """
    ordered = np.sort(errors[np.isfinite(errors)])
    n = ordered.size
    return np.asarray(stats.norm.ppf((np.arange(1, n + 1) - 0.375) / (n + 0.25))), ordered


def repricing_errors(quotes: Quotes, model: Model) -> np.ndarray:
    """Return the model's errors of implied volatility in basis points, shape (n,)."""
    prices = price(model, quotes.contracts, tolerance=_TOLERANCE).value
    return np.asarray(BASIS_POINTS * PricingErrors.of(quotes, prices).vol)


def quantities(model: Model) -> dict[str, float]:
    """Return the parameters, and the moments of the log return at one year, by name."""
    values = log_return_moments(model, _ONE_YEAR)[0][0]
    parameters = {name: float(value) for name, value in model.as_mapping().items()}
    return parameters | dict(zip(MOMENTS, map(float, values), strict=True))


def root_mean_square(values: np.ndarray) -> float:
    """Return the root mean square of the finite values; NaN without any."""
    finite = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(finite**2))) if finite.size else math.nan
