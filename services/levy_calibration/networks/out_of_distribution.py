"""Detection of surfaces outside the training distribution."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from levy_numerics.errors import InvalidInputError

_QUANTILE: Final = 0.999
_RIDGE: Final = 1e-3
"""As a fraction of the summary's variance: directions in which training surfaces hardly vary carry
little information."""


@dataclass(frozen=True)
class OutOfDistributionDetector:
    """Mahalanobis distance of a network's summary, relative to the 99.9% quantile of training.

    Attributes
    ----------
    mean : ndarray, shape (s,)
    whitener : ndarray, shape (s, s)
        Maps training summaries to unit covariance.
    limit : float
        The 99.9% quantile of the distance in training.

    References
    ----------
    Lee, Lee, Lee and Shin (2018), A simple unified framework for detecting out-of-distribution
    samples and adversarial attacks, NeurIPS.
    """

    mean: np.ndarray
    whitener: np.ndarray
    limit: float

    @classmethod
    def fit(cls, summaries: np.ndarray) -> Self:
        """Fit to summaries of training surfaces, with noise and gaps, shape (n, s)."""
        values = np.asarray(summaries, dtype=float)
        mean, deviation = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-9)
        scaled = (values - mean) / deviation
        size = scaled.shape[1]
        covariance = scaled.T @ scaled / len(scaled) + _RIDGE * np.eye(size)
        whitener = np.linalg.inv(np.linalg.cholesky(covariance)).T / deviation[:, None]
        unit = cls(mean.astype(np.float32), whitener.astype(np.float32), 1.0)
        return cls(unit.mean, unit.whitener, float(np.quantile(unit.score(values), _QUANTILE)))

    def check(self) -> None:
        """Raise `InvalidInputError` unless shapes agree, values are finite and the limit is > 0."""
        size = self.mean.size
        if self.mean.shape != (size,) or self.whitener.shape != (size, size):
            raise InvalidInputError("mean and whitener of the detector have inconsistent shapes")
        finite = np.isfinite(self.mean).all() and np.isfinite(self.whitener).all()
        if not (finite and 0.0 < self.limit < np.inf):
            raise InvalidInputError("the detector has values that are not finite, or no limit > 0")

    def score(self, summaries: np.ndarray) -> np.ndarray:
        """Return distance over limit, shape (n,); above one is out of distribution."""
        white = (summaries - self.mean) @ self.whitener
        return np.asarray(np.sqrt(np.mean(white**2, axis=1)) / self.limit)
