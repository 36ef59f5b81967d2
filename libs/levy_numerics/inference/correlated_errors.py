"""Errors of quotes that are correlated by a discrepancy between model and market.

Errors e in units of the quotes' scale are D·f + ε: f the Gaussian process of `Discrepancy`, with
its hyperparameters fixed at their estimates, and ε independent, of scale τ. Their covariance is

    τ²(I + VVᵀ),    V of shape (n, m),

which a matrix of the same shape whitens: (I + VVᵀ)^−½ = I − BBᵀ. The determinant is constant, so
that the likelihood is that of independent errors at the whitened ones w.

Hyperparameters that are estimated from few expiries leave Student's t for the parameters. Intervals
of 95% become as wide if w·w, less the least square S that parameters can reach, counts with a
weight p < 1 only: with p·(w·w) + (1 − p)S the noise is estimated as before.

References
----------
Kennedy and O'Hagan (2001), Bayesian calibration of computer models, Journal of the Royal
Statistical Society B 63(3), 425-464, with estimated hyperparameters (section 4.5).
"""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from scipy.special import ndtri, stdtrit

from levy_numerics.calibration.discrepancy import Discrepancy
from levy_numerics.implied_volatility import black_vegas
from levy_numerics.market import Contracts, Quotes

# Intervals of this level are those of Student's t.
_LEVEL: Final = 0.95


@dataclass(frozen=True)
class Whitening:
    """Linear map of correlated errors to independent ones, and a constant to add to their square.

    Attributes
    ----------
    factor : array, shape (n, m)
        B. Rows of padding are zero.
    root_weight : float
        √p.
    constant : float
        (1 − p)S.
    """

    factor: Any
    root_weight: Any
    constant: Any

    def whiten(self, errors: Any) -> Any:
        """Return √p·(I − BBᵀ)e for errors, shape (…, n); NumPy or JAX."""
        return self.root_weight * (errors - (errors @ self.factor) @ self.factor.T)


@dataclass(frozen=True)
class CorrelatedErrors:
    """Correlation of the quotes' errors, and what they imply for other quotes.

    Attributes
    ----------
    discrepancy : Discrepancy
    by_vol : ndarray, shape (n,)
        Change of the errors with implied volatility.
    whitening : Whitening
    """

    discrepancy: Discrepancy
    by_vol: np.ndarray
    whitening: Whitening

    @classmethod
    def of(cls, discrepancy: Discrepancy, quotes: Quotes, scale: np.ndarray) -> Self:
        """Return the correlation of errors in units of `scale`, shape (n,), currency."""
        by_vol = black_vegas(discrepancy.vols, quotes.contracts) / scale
        return cls(discrepancy, by_vol, _whitening(discrepancy, by_vol))

    def vol_errors(self, contracts: Contracts, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and deviation of the model's errors of volatility, given those of the quotes.

        Parameters
        ----------
        contracts : Contracts
            k of them, quoted or not.
        errors : ndarray, shape (…, n)
            Errors of the quotes, model less market, in units of their scale.

        Returns
        -------
        mean : ndarray, shape (…, k)
            Implied volatility of the model less that of the market.
        deviation : ndarray, shape (k,)
            In units of the noise τ.
        """
        gain, variance = self.discrepancy.conditional(self.by_vol, contracts)
        unit = self.discrepancy.unit
        return errors @ gain.T / unit, np.sqrt(variance) / unit


def _whitening(discrepancy: Discrepancy, by_vol: np.ndarray) -> Whitening:
    """Return the whitening of I + VVᵀ."""
    factor = discrepancy.factor(by_vol)
    values, vectors = np.linalg.eigh(factor.T @ factor)
    root = np.sqrt(1.0 + np.maximum(values, 0.0))
    # With VᵀV = QΛQᵀ, 1 − (1 + λ)^−½ = λ/(s(s + 1)) for s = √(1 + λ).
    whitening = factor @ (vectors / np.sqrt(root * (root + 1.0)))
    quantile = stdtrit(discrepancy.degrees_of_freedom, 0.5 + 0.5 * _LEVEL)
    root_weight = float(ndtri(0.5 + 0.5 * _LEVEL) / quantile)
    return Whitening(whitening, root_weight, (1.0 - root_weight**2) * discrepancy.square)
