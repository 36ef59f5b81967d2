"""Posterior density of a model's parameters, priced in batches.

Quotes are the model's prices plus errors of scale τ·sᵢ, independent or correlated. sᵢ is the unit
of error of a quote in currency (forward, unit of volatility, half the spread); the noise τ is fixed
or has a prior.
"""

import math
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from levy_numerics.calibration.discrepancy import Discrepancy
from levy_numerics.calibration.weights import default_weights, error_scale
from levy_numerics.distributions import LogNormal
from levy_numerics.errors import InvalidInputError
from levy_numerics.inference.correlated_errors import CorrelatedErrors
from levy_numerics.inference.priors import Priors
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer
from levy_numerics.special import array_namespace

# Prices themselves have errors of this fraction of the forward.
LEAST_NOISE: Final = 1e-8
# Priors by weights, in their unit: medians of 1/1000 of the forward, half a volatility point and
# half the spread. Each exceeds the errors of prices, where a volatility point is 1/1000 of the
# forward and half a spread 1/10,000: a likelihood of exact quotes would be one of rounding errors.
# The bounds do not depend on the quotes, so that compiled densities serve every surface.
_NOISE: Final[dict[str, LogNormal]] = {
    "price": LogNormal(math.log(1e-3), 2.0, LEAST_NOISE),
    "vega": LogNormal(math.log(5e-3), 2.0, 1e1 * LEAST_NOISE),
    "bid_ask": LogNormal(0.0, 1.5, 1e4 * LEAST_NOISE),
}
_MIN_TOLERANCE, _MAX_TOLERANCE = 1e-10, 1e-6
# Tolerance of prices, as a fraction of the noise: their errors then do not affect the posterior.
_TOLERANCE_PER_NOISE: Final = 1e-3


def default_noise(weights: str) -> LogNormal:
    """Return the default prior of the noise τ, in the unit of `weights`."""
    return _NOISE[weights]


@dataclass(frozen=True)
class Posterior:
    """Posterior density of a model's coordinates and the noise, given quotes.

    A point is (z, η): the model's coordinates, and η = log(τ − `loc` of its prior). Points have no
    η if the noise is fixed.

    Attributes
    ----------
    priors : Priors
    quotes : Quotes
    scale : ndarray, shape (n,)
        sᵢ in currency.
    noise : LogNormal or float
        Prior of τ, or its value.
    degrees_of_freedom : float
        Degrees of freedom of Student t errors; infinite for normal errors.
    correlated : CorrelatedErrors, optional
        Correlation of the errors, which are independent without it.
    """

    priors: Priors
    quotes: Quotes
    scale: np.ndarray
    noise: LogNormal | float
    degrees_of_freedom: float = math.inf
    correlated: CorrelatedErrors | None = None

    @classmethod
    def of(
        cls,
        quotes: Quotes,
        priors: Priors,
        *,
        weights: str | None = None,
        noise: LogNormal | float | None = None,
        degrees_of_freedom: float = math.inf,
        discrepancy: Discrepancy | None = None,
    ) -> Self:
        """Return a posterior with errors in the unit of `weights`; see `default_noise`.

        The default weights are those of fits, `weights.default_weights`. The errors are correlated
        with a `discrepancy`, which a fit with the same weights has (`CalibrationResult`).

        Raises
        ------
        InvalidInputError
            Student t errors with a discrepancy.
        """
        if discrepancy is not None and not math.isinf(degrees_of_freedom):
            raise InvalidInputError("a discrepancy requires normal errors, not Student's t")
        name = default_weights(quotes) if weights is None else weights
        prior = default_noise(name) if noise is None else noise
        scale = error_scale(quotes, name)
        correlated = (
            None if discrepancy is None else CorrelatedErrors.of(discrepancy, quotes, scale)
        )
        return cls(priors, quotes, scale, prior, degrees_of_freedom, correlated)

    @property
    def model_type(self) -> type[Model]:
        """Model whose parameters are sampled."""
        return self.priors.model_type

    @property
    def n_coordinates(self) -> int:
        """Number of the model's coordinates in a point."""
        return len(self.priors.by_parameter)

    @property
    def size(self) -> int:
        """Number of entries of a point."""
        return self.n_coordinates + isinstance(self.noise, LogNormal)

    def noise_at(self, points: Any) -> Any:
        """Return τ, shape of `points`, (size, …), without its first axis."""
        # Draws of a wide proposal may be anywhere; their weights are zero.
        with np.errstate(over="ignore"):
            return noise_at(self.noise, points)

    def log_density(self, points: np.ndarray, pricer: SinhPricer) -> np.ndarray:
        """Return the log posterior at `points`, shape (size, n_points), up to a constant.

        It is −∞ outside of the search box.

        Parameters
        ----------
        pricer : SinhPricer
            Pricer of the quoted contracts.
        """
        z = points[: self.n_coordinates]
        low, high = (np.array(end)[:, None] for end in self.model_type.coordinate_bounds())
        inside = ((z >= low) & (z <= high)).all(axis=0)
        result = np.full(z.shape[1], -np.inf)
        if not inside.any():
            return result
        z, points = z[:, inside], points[:, inside]
        with np.errstate(all="ignore"):
            prices = pricer.price(self.model_type.from_coordinates(z), refine=False).value
            log_density = self.log_density_of(points, prices)
        # Prices are NaN if E[S_T] is infinite.
        result[inside] = np.where(np.isfinite(log_density), log_density, -np.inf)
        return result

    def log_density_of(self, points: Any, prices: Any) -> Any:
        """Return the log posterior for given prices of the model, up to a constant; NumPy or JAX.

        Parameters
        ----------
        points : array, shape (size, …)
            Inside the search box.
        prices : array, shape (…, n)
        """
        likelihood = self.log_likelihood(prices, self.noise_at(points))
        prior = self.priors.log_density_at(points[: self.n_coordinates])
        return likelihood + prior + log_noise_density(self.noise, points)

    def log_likelihood(self, prices: Any, noise: Any) -> Any:
        """Return the log likelihood of the quotes, for prices (…, n) of the model and τ (…)."""
        errors = self.whitened((prices - self.quotes.price) / self.scale)
        return log_likelihood(errors, noise, self.degrees_of_freedom, constant=self.constant)

    @property
    def constant(self) -> float:
        """Constant to add to the square of whitened errors; see `Whitening`."""
        return 0.0 if self.correlated is None else self.correlated.whitening.constant

    def whitened(self, errors: Any) -> Any:
        """Return errors in units of sᵢ, shape (…, n), as independent ones of scale τ."""
        return errors if self.correlated is None else self.correlated.whitening.whiten(errors)

    def pricer_for(self, noise: float) -> SinhPricer:
        """Return a pricer whose errors are negligible compared with a noise τ."""
        c = self.quotes.contracts
        scale = float(np.median(self.scale / (c.discount * c.forward)))
        tolerance = min(max(_TOLERANCE_PER_NOISE * noise * scale, _MIN_TOLERANCE), _MAX_TOLERANCE)
        return SinhPricer(c, tolerance)


def noise_at(noise: LogNormal | float, points: Any) -> Any:
    """Return τ at points, shape (size, …); see `Posterior`."""
    xp = array_namespace(points)
    if isinstance(noise, LogNormal):
        return noise.loc + xp.exp(points[-1])
    return xp.full(points.shape[1:], float(noise))


def log_noise_density(noise: LogNormal | float, points: Any) -> Any:
    """Return the log prior of η at points, shape (size, …), up to a constant; 0 if τ is fixed."""
    if isinstance(noise, LogNormal):
        # η is normal, so the density with respect to η contains the volume element.
        return -0.5 * ((points[-1] - noise.mu) / noise.sigma) ** 2
    return 0.0


def log_likelihood(
    errors: Any,
    noise: Any,
    degrees_of_freedom: float,
    n_quotes: Any = None,
    constant: Any = 0.0,
) -> Any:
    """Return the log likelihood of errors in units of sᵢ, shape (…, n), for τ, shape (…).

    Padding has errors of zero, and `n_quotes` is the number of the others. The `constant` is added
    to the square of normal errors; see `Whitening`.
    """
    xp = array_namespace(errors)
    n = errors.shape[-1] if n_quotes is None else n_quotes
    squares = errors**2
    if math.isinf(degrees_of_freedom):
        return -n * xp.log(noise) - 0.5 * (squares.sum(axis=-1) + constant) / noise**2
    nu = degrees_of_freedom
    log_terms = xp.log1p(squares / (nu * noise[..., None] ** 2)).sum(axis=-1)
    return -n * xp.log(noise) - 0.5 * (nu + 1.0) * log_terms
