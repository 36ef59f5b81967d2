"""Standardisation of features, fitted to the training set only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

_LEAST: Final = 1e-6
"""Deviation below which a feature counts as constant and is only centred."""


@dataclass(frozen=True)
class StandardScaler:
    """Subtracts the mean and divides by the standard deviation of each feature.

    Attributes
    ----------
    mean, deviation : ndarray, shape (n_features,)
    """

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def fit(cls, features: np.ndarray, present: np.ndarray | None = None) -> Self:
        """Fit to `features`, shape (…, n_features), where `present`, shape (…), is true.

        Examples
        --------
        >>> StandardScaler.fit(np.array([[0.0], [2.0]])).transform(np.array([[4.0]])).tolist()
        [[3.0]]
        """
        rows = features.reshape(-1, features.shape[-1]) if present is None else features[present]
        mean = rows.mean(axis=0, dtype=float)
        deviation = rows.std(axis=0, dtype=float)
        return cls(mean, np.where(deviation > _LEAST, deviation, 1.0))

    def transform(self, features: np.ndarray) -> np.ndarray:
        """Return standardised features, in their precision."""
        scaled = (features - self.mean) / self.deviation
        return np.asarray(scaled.astype(features.dtype))

    def as_mapping(self) -> dict[str, Any]:
        """Return mean and deviation, for manifests."""
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Return the scaler of `as_mapping`."""
        return cls(np.array(values["mean"]), np.array(values["deviation"]))
