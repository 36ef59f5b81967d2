"""What a posterior expects: of the quotes that it rests on, and of other options."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics.calibration.weights import error_scale
from levy_numerics.implied_volatility import vols_of_prices
from levy_numerics.inference.posterior import Posterior
from levy_numerics.market import Contracts, Quotes
from levy_numerics.pricing.result import Prices
from levy_numerics.pricing.sinh import SinhPricer
from levy_schemas.jobs import OptionPrediction, PredictiveInterval
from levy_schemas.surface import Weights

INTERVAL: Final = (0.025, 0.975)
_QUOTES_FROM: Final = 500
_OPTIONS_FROM: Final = 2000
_ERRORS_EACH: Final = 8


def expected_quotes(
    posterior: Posterior, points: np.ndarray, seed: int
) -> tuple[PredictiveInterval, ...]:
    """What each quote is expected to be, its own error included.

    Parameters
    ----------
    posterior : Posterior
    points : ndarray, shape (n_chains, n_samples, size)
    seed : int
        Of the errors.
    """
    c = posterior.quotes.contracts
    priced, noise = _priced(posterior, points, c, _QUOTES_FROM)
    prices = priced.value
    errors = _Errors(posterior.degrees_of_freedom, seed)
    low, high = errors.interval(prices, posterior.scale * noise[:, None])
    return tuple(
        PredictiveInterval(strike=strike, maturity=maturity, mean=mean, interval=(least, most))
        for strike, maturity, mean, least, most in zip(
            c.strike.tolist(),
            c.maturity_years.tolist(),
            prices.mean(axis=0).tolist(),
            low.tolist(),
            high.tolist(),
            strict=True,
        )
    )


def expected_options(
    posterior: Posterior, points: np.ndarray, options: Contracts, *, weights: Weights, seed: int
) -> tuple[OptionPrediction, ...]:
    """What other options are worth under the posterior, and what a quote of them may be.

    Parameters
    ----------
    posterior : Posterior
    points : ndarray, shape (n_chains, n_samples, size)
    options : Contracts
    weights : {"price", "vega", "bid_ask"}
        The posterior's unit of errors. Half a spread is not known of an option that is not quoted.
    seed : int
        Of the errors.
    """
    priced, noise = _priced(posterior, points, options, _OPTIONS_FROM)
    prices = priced.value
    low, median, high = np.quantile(prices, (INTERVAL[0], 0.5, INTERVAL[1]), axis=0)
    at_median = Quotes.of(options, median)
    # Volatility rises with the price, so that its quantiles are those of the price.
    quantiles = np.stack([low, median, high])
    errors_of_prices = np.broadcast_to(np.max(priced.error, axis=0), quantiles.shape)
    vols = vols_of_prices(quantiles, options, errors_of_prices.copy())
    scale = _scale(posterior, at_median, weights)
    quoted: list[tuple[float, float] | None] = [None] * options.size
    if scale is not None:
        errors = _Errors(posterior.degrees_of_freedom, seed)
        ends = errors.interval(prices, scale * noise[:, None])
        quoted = list(zip(*(end.tolist() for end in ends), strict=True))
    return tuple(
        OptionPrediction(
            strike=float(options.strike[i]),
            maturity=float(options.maturity_years[i]),
            option_type="call" if options.is_call[i] else "put",
            mean=float(prices[:, i].mean()),
            median=float(median[i]),
            interval=(float(low[i]), float(high[i])),
            quote_interval=quoted[i],
            implied_vol=_or_none(vols[1][i]),
            implied_vol_interval=(_or_none(vols[0][i]), _or_none(vols[2][i])),
        )
        for i in range(options.size)
    )


def _priced(
    posterior: Posterior, points: np.ndarray, contracts: Contracts, n_draws: int
) -> tuple[Prices, np.ndarray]:
    """Prices at some of the draws, evenly over all chains, shape (n, n_contracts), and τ there."""
    flat = points.reshape(-1, points.shape[-1])
    some = flat[np.linspace(0, len(flat) - 1, min(len(flat), n_draws)).astype(int)].T
    noise = np.asarray(posterior.noise_at(some))
    model = posterior.model_type.from_coordinates(some[: posterior.n_coordinates])
    tolerance = posterior.pricer_for(float(np.median(noise))).tolerance
    return SinhPricer(contracts, tolerance).price(model), noise


@dataclass(frozen=True)
class _Errors:
    """Errors of quotes, in units of their scale.

    Attributes
    ----------
    degrees_of_freedom : float
        Of Student's t; infinite for normal errors.
    seed : int
    """

    degrees_of_freedom: float
    seed: int

    def interval(self, prices: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ends of what prices and errors together may be, shape (n_contracts,).

        Parameters
        ----------
        prices, scale : ndarray, shape (n, n_contracts)
        """
        errors = self._drawn((_ERRORS_EACH, *prices.shape))
        quotes = (prices + scale * errors).reshape(-1, prices.shape[1])
        low, high = np.quantile(quotes, INTERVAL, axis=0)
        return low, high

    def _drawn(self, shape: tuple[int, ...]) -> np.ndarray:
        rng = np.random.default_rng(self.seed)
        if math.isinf(self.degrees_of_freedom):
            return rng.standard_normal(shape)
        return rng.standard_t(self.degrees_of_freedom, shape)


def _scale(posterior: Posterior, quotes: Quotes, weights: Weights) -> np.ndarray | None:
    """What one unit of a quote's error is worth, shape (n,), currency."""
    if weights == "bid_ask":
        return None
    if weights == "price":
        # Of all quotes alike: the mean forward of those that were fitted.
        return np.full(quotes.size, posterior.scale[0])
    return error_scale(quotes, weights)


def _or_none(vol: float) -> float | None:
    return float(vol) if np.isfinite(vol) else None
