"""Fit a model to cleaned quotes."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from levy_calibration.handlers.calibrate import (
    Choose,
    no_networks,
    refuse_time_inhomogeneous,
)
from levy_calibration.handlers.parameter_intervals import (
    parameter_intervals,
    refuse_psis_of_a_network,
)
from levy_calibration.handlers.responses import build_response
from levy_cli.cleaned import CleanedQuotes, records
from levy_numerics import calibration, models
from levy_numerics.calibration.fit_quality import fitted_price_error
from levy_numerics.calibration.hybrid import FitStrategy
from levy_numerics.errors import InvalidInputError
from levy_numerics.models.base import Model
from levy_schemas.calibration import CalibrationMethod, CalibrationResult, Uncertainty
from levy_service import engine_version
from levy_surfaces.summary import market_vols, vols_of


@dataclass(frozen=True)
class FittedSurface:
    """A cleaned surface, the fit to it, and the result as HTTP would return it.

    Attributes
    ----------
    quotes : CleanedQuotes
    by_maturity : mapping of float to Model
        The fitted model of each maturity; all are the same unless fitted per maturity.
    model_prices : ndarray, shape (n,)
    result : CalibrationResult
    """

    quotes: CleanedQuotes
    by_maturity: Mapping[float, Model]
    model_prices: np.ndarray
    result: CalibrationResult

    @cached_property
    def market_vols(self) -> np.ndarray:
        """Implied volatilities of the quotes, shape (n,); NaN where undefined."""
        return market_vols(self.quotes.surface)

    @cached_property
    def model_vols(self) -> np.ndarray:
        """Implied volatilities of the fitted prices, shape (n,); NaN where undefined."""
        contracts = self.quotes.surface.quotes.contracts
        return vols_of(self.model_prices, contracts, fitted_price_error(contracts))

    def residuals(self) -> pd.DataFrame:
        """Return a row for each quote: contract, market, model and their difference."""
        surface = self.quotes.surface
        quotes = surface.quotes
        c = quotes.contracts
        sides = {"bid": quotes.bid, "ask": quotes.ask}
        american = self.quotes.american
        premium = {} if american is None else {"early_exercise_premium": american.premium}
        return pd.DataFrame(
            {
                "row": surface.row,
                "expiry": surface.expiry,
                "maturity": c.maturity_years,
                "strike": c.strike,
                "option_type": np.where(c.is_call, "call", "put"),
                "forward": c.forward,
                "discount": c.discount,
                "market_price": quotes.price,
                **{name: side for name, side in sides.items() if side is not None},
                **premium,
                "model_price": self.model_prices,
                "residual": self.model_prices - quotes.price,
                "market_vol": self.market_vols,
                "model_vol": self.model_vols,
            }
        )

    def as_document(self) -> dict[str, Any]:
        """Return the result of `/calibrate` with residuals and the report of cleaning."""
        return {
            **self.result.model_dump(mode="json", exclude={"request_id"}),
            **self.quotes.as_document(),
            "residuals": records(self.residuals()),
        }


def fit_surface(
    quotes: CleanedQuotes,
    *,
    model_type: str,
    strategy: FitStrategy,
    uncertainty: Uncertainty = "robust",
    choose: Choose = no_networks,
    progress: Callable[[int, int], None] | None = None,
    explain: bool = False,
) -> FittedSurface:
    """Fit a model to all expiries, or to each separately; `explain` adds the quotes' influence.

    Raises
    ------
    LevyError
        The model is unknown or cannot be fitted, or the method is not available.
    """
    model = models.get(model_type)
    proposers = () if strategy.method == "least_squares" else choose(model_type)
    started = time.perf_counter()
    fit = strategy.fit(model, quotes.surface.quotes, proposers, progress)
    result = build_response(
        fit,
        parameter_intervals(fit, quotes.surface.quotes, uncertainty=uncertainty),
        quote_warnings=quotes.surface.warnings,
        engine_version=engine_version(),
        seconds=time.perf_counter() - started,
        explained=quotes.surface.quotes if explain else None,
    )
    by_maturity = _by_maturity(fit.result, quotes)
    return FittedSurface(quotes, by_maturity, fit.result.model_prices, result)


def check_options(
    model_type: str,
    method: CalibrationMethod,
    uncertainty: Uncertainty,
    *,
    per_maturity: bool,
    explain: bool = False,
) -> None:
    """Raise if the options do not fit together, before any file is read.

    Raises
    ------
    LevyError
        The model is unknown, the options contradict each other, or one expiry cannot determine
        the model.
    """
    models.get(model_type)
    refuse_psis_of_a_network(method, uncertainty)
    if explain and (per_maturity or method == "neural"):
        raise InvalidInputError(
            "--explain requires a least-squares fit of all expiries; omit --per-maturity and "
            "--method neural"
        )
    if per_maturity:
        refuse_time_inhomogeneous(model_type)


def _by_maturity(
    fit: calibration.CalibrationResult | calibration.TermStructure, quotes: CleanedQuotes
) -> dict[float, Model]:
    if isinstance(fit, calibration.TermStructure):
        pairs = zip(fit.maturities, fit.results, strict=True)
        return {float(years): result.model for years, result in pairs}
    years = quotes.surface.quotes.contracts.maturity_years
    return dict.fromkeys(map(float, np.unique(years)), fit.model)
