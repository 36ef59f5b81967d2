"""Posterior predictive distributions of quotes and of other options."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics.calibration.weights import error_scale
from levy_numerics.implied_volatility import black_prices, vols_of_prices
from levy_numerics.inference.leave_one_out import log_conditional_densities
from levy_numerics.inference.posterior import Posterior
from levy_numerics.market import Contracts, Quotes
from levy_numerics.pricing.result import Prices
from levy_numerics.pricing.sinh import SinhPricer
from levy_schemas.finite import finite_or_none
from levy_schemas.jobs import OptionPrediction, PredictiveInterval
from levy_schemas.surface import Weights

INTERVAL: Final = (0.025, 0.975)
_N_QUOTE_DRAWS: Final = 500
_N_OPTION_DRAWS: Final = 2000
# Draws of each quote, discrepancy and errors included, and of errors at a draw of the parameters.
_N_PREDICTED: Final = 4000
_MIN_ERRORS_PER_DRAW: Final = 4
# Quoted options from which the spread of another one is interpolated.
_N_NEAREST: Final = 4
# Keeps the weight of an option at the same place finite.
_LEAST_DISTANCE: Final = 1e-3


@dataclass(frozen=True)
class QuotePredictions:
    """Posterior predictive distributions of the quotes.

    Attributes
    ----------
    model_price : ndarray, shape (n,)
        Posterior mean of the model's price, which contains no discrepancy.
    intervals : tuple of PredictiveInterval
        By quote.
    """

    model_price: np.ndarray
    intervals: tuple[PredictiveInterval, ...]


def predictive_quotes(posterior: Posterior, points: np.ndarray, seed: int) -> QuotePredictions:
    """Return the predictive distribution of each quote, whose error is included.

    Parameters
    ----------
    posterior : Posterior
    points : ndarray, shape (n_chains, n_samples, size)
    seed : int
        Random seed of the errors.
    """
    c = posterior.quotes.contracts
    chosen = _subset(points, _N_QUOTE_DRAWS)
    prices = _prices(posterior, chosen, c).value
    market = _Market(posterior, chosen, prices, seed)
    mean, low, high = market.quotes(c, prices, posterior.scale)
    intervals = tuple(
        PredictiveInterval(strike=strike, maturity=maturity, mean=mean, interval=(lower, upper))
        for strike, maturity, mean, lower, upper in zip(
            c.strike.tolist(),
            c.maturity_years.tolist(),
            mean.tolist(),
            low.tolist(),
            high.tolist(),
            strict=True,
        )
    )
    return QuotePredictions(prices.mean(axis=0), intervals)


@dataclass(frozen=True)
class PointwiseDraws:
    """What draws of the posterior imply for each quote.

    Attributes
    ----------
    log_likelihood : ndarray, shape (n_draws, n)
        Log density of each quote given the others; see `log_conditional_densities`.
    replicates : ndarray, shape (n_draws, n)
        A random quote of each option, of the predictive distribution.
    """

    log_likelihood: np.ndarray
    replicates: np.ndarray


def pointwise_draws(posterior: Posterior, points: np.ndarray, seed: int) -> PointwiseDraws:
    """Return the density and a replicate of each quote at draws.

    Parameters
    ----------
    posterior : Posterior
    points : ndarray, shape (n_draws, size)
    seed : int
        Random seed of the replicates.
    """
    c = posterior.quotes.contracts
    prices = _prices(posterior, points.T, c).value
    noise = np.asarray(posterior.noise_at(points.T))
    market = _Market(posterior, points.T, prices, seed)
    _, replicates = next(market.replicates(c, prices, posterior.scale))
    return PointwiseDraws(log_conditional_densities(posterior, prices, noise), replicates)


def predictive_options(
    posterior: Posterior, points: np.ndarray, options: Contracts, *, weights: Weights, seed: int
) -> tuple[OptionPrediction, ...]:
    """Return the predictive distributions of other options, of their price and of a quote.

    Parameters
    ----------
    posterior : Posterior
    points : ndarray, shape (n_chains, n_samples, size)
    options : Contracts
    weights : {"price", "vega", "bid_ask"}
        The posterior's unit of errors. The spread of an option is interpolated from the quotes.
    seed : int
        Random seed of the errors.
    """
    chosen = _subset(points, _N_OPTION_DRAWS)
    priced = _prices(posterior, chosen, options)
    prices = priced.value
    low, median, high = np.quantile(prices, (INTERVAL[0], 0.5, INTERVAL[1]), axis=0)
    # Volatility increases with the price, so that its quantiles are those of the price.
    quantiles = np.stack([low, median, high])
    errors_of_prices = np.broadcast_to(np.max(priced.error, axis=0), quantiles.shape)
    vols = vols_of_prices(quantiles, options, errors_of_prices.copy())
    scale = _scale(posterior, Quotes.of(options, median), weights)
    quoted = _prices(posterior, chosen, posterior.quotes.contracts).value
    market = _Market(posterior, chosen, quoted, seed)
    _, quote_low, quote_high = market.quotes(options, prices, scale)
    return tuple(
        OptionPrediction(
            strike=float(options.strike[i]),
            maturity=float(options.maturity_years[i]),
            option_type="call" if options.is_call[i] else "put",
            mean=float(prices[:, i].mean()),
            median=float(median[i]),
            interval=(float(low[i]), float(high[i])),
            quote_interval=(float(quote_low[i]), float(quote_high[i])),
            implied_vol=finite_or_none(vols[1][i]),
            implied_vol_interval=(finite_or_none(vols[0][i]), finite_or_none(vols[2][i])),
        )
        for i in range(options.size)
    )


def _subset(points: np.ndarray, n_draws: int) -> np.ndarray:
    """Return a subset of the draws, shape (size, n)."""
    flat = points.reshape(-1, points.shape[-1])
    kept = np.linspace(0, len(flat) - 1, min(len(flat), n_draws)).astype(int)
    return np.asarray(flat[kept].T)


def _prices(posterior: Posterior, chosen: np.ndarray, contracts: Contracts) -> Prices:
    """Return the model's prices at draws, shape (size, n): values of shape (n, n_contracts)."""
    noise = float(np.median(posterior.noise_at(chosen)))
    model = posterior.model_type.from_coordinates(chosen[: posterior.n_coordinates])
    return SinhPricer(contracts, posterior.pricer_for(noise).tolerance).price(model)


@dataclass(frozen=True)
class _Market:
    """Prices of a market that differs from the model by discrepancy and noise.

    Attributes
    ----------
    posterior : Posterior
    chosen : ndarray, shape (size, n)
        Draws of the posterior.
    quoted : ndarray, shape (n, n_quotes)
        Prices of the model for the quotes, at these draws.
    seed : int
    """

    posterior: Posterior
    chosen: np.ndarray
    quoted: np.ndarray
    seed: int

    def quotes(
        self, contracts: Contracts, prices: np.ndarray, scale: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the mean and the interval of quotes of options, each of shape (n_contracts,).

        The discrepancy is an error of volatility, the noise one of price; prices remain within
        their no-arbitrage bounds.

        Parameters
        ----------
        contracts : Contracts
        prices : ndarray, shape (n, n_contracts)
            Of the model at the draws.
        scale : ndarray, shape (n_contracts,)
            Unit of the noise, currency.
        """
        n_errors = max(_N_PREDICTED // len(prices), _MIN_ERRORS_PER_DRAW)
        drawn, total = np.empty((n_errors, *prices.shape)), np.zeros(contracts.size)
        for k, (market, quotes) in zip(
            range(n_errors), self.replicates(contracts, prices, scale), strict=False
        ):
            total += market.mean(axis=0)
            drawn[k] = quotes
        low, high = np.quantile(drawn.reshape(-1, contracts.size), INTERVAL, axis=0)
        return total / n_errors, low, high

    def replicates(
        self, contracts: Contracts, prices: np.ndarray, scale: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield random prices without noise and the quotes of them, shape of `prices`, endlessly.

        Parameters are those of `quotes`.
        """
        rng = np.random.default_rng(self.seed)
        noise = np.asarray(self.posterior.noise_at(self.chosen))[:, None]
        with_discrepancy = self._with_discrepancy(contracts, prices, noise)
        while True:
            market = with_discrepancy(rng)
            errors = scale * noise * self._draw(rng, prices.shape)
            yield market, np.clip(market + errors, contracts.lower_bound, contracts.upper_bound)

    def _with_discrepancy(
        self, contracts: Contracts, prices: np.ndarray, noise: np.ndarray
    ) -> Callable[[np.random.Generator], np.ndarray]:
        """Return a function that draws prices of the market without noise, shape of `prices`."""
        posterior, c = self.posterior, contracts
        if posterior.correlated is None:
            return lambda _: prices
        errors = (self.quoted - posterior.quotes.price) / posterior.scale
        mean, deviation = posterior.correlated.vol_errors(c, errors)
        vols = vols_of_prices(prices, c)
        exists = np.isfinite(vols)
        centre, deviations = np.where(exists, vols, 0.0) - mean, noise * deviation

        def draw(rng: np.random.Generator) -> np.ndarray:
            vol = centre - deviations * rng.standard_normal(prices.shape)
            market = black_prices(np.maximum(vol, 0.0), c)
            # A price that determines no volatility does not change with a realistic one.
            return np.where(exists, market, prices)

        return draw

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        degrees = self.posterior.degrees_of_freedom
        if math.isinf(degrees):
            return rng.standard_normal(shape)
        return rng.standard_t(degrees, shape)


def _scale(posterior: Posterior, quotes: Quotes, weights: Weights) -> np.ndarray:
    """Return the error scale of each quote of other options in currency, shape (n,)."""
    if weights == "bid_ask":
        return _interpolated_scale(posterior, quotes.contracts)
    if weights == "price":
        # The same for all quotes: the mean forward of the fitted ones.
        return np.full(quotes.size, posterior.scale[0])
    return error_scale(quotes, weights)


def _interpolated_scale(posterior: Posterior, options: Contracts) -> np.ndarray:
    """Return the geometric mean of the nearest quotes' scales, weighted by inverse distance.

    Distances are in ln(F/K)/√T, relative to its deviation over the quotes, and in ln T.
    """
    quoted = posterior.quotes.contracts
    spread = float(np.std(_standardised(quoted))) or 1.0
    strikes = np.abs(_standardised(options)[:, None] - _standardised(quoted)) / spread
    times = np.abs(np.log(options.maturity_years[:, None] / quoted.maturity_years))
    distance = strikes + times
    nearest = np.argsort(distance, axis=1)[:, :_N_NEAREST]
    weight = 1.0 / (np.take_along_axis(distance, nearest, axis=1) + _LEAST_DISTANCE)
    relative = np.log(posterior.scale / (quoted.discount * quoted.forward))[nearest]
    mean = np.sum(weight * relative, axis=1) / np.sum(weight, axis=1)
    return np.asarray(np.exp(mean) * options.discount * options.forward)


def _standardised(contracts: Contracts) -> np.ndarray:
    """Return ln(F/K)/√T, shape (n,)."""
    return np.asarray(contracts.log_moneyness / np.sqrt(contracts.maturity_years))
