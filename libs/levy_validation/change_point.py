"""Detection of a change of level in a series, with a stated rate of false alarms."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

_LARGEST_CORRELATION: Final = 0.95


@dataclass(frozen=True)
class ChangePoint:
    """The most probable change of level of a series, and its significance.

    Attributes
    ----------
    position : int
        First entry of the second level.
    p_value : float
        Share of permutations whose statistic is as large. A series without a change has a p-value
        below α with probability α: the rate of false alarms.
    before, after : float
        Means of the two parts.
    correlation : float
        Of successive entries, removed before the test; zero where it was not.

    References
    ----------
    Page (1954), Biometrika 41, 100-115 (cumulative sums); Antoch and Hušková (2001), Statistics &
    Probability Letters 53, 37-46 (critical values by permutation).
    """

    position: int
    p_value: float
    before: float
    after: float
    correlation: float

    @classmethod
    def of(
        cls,
        series: np.ndarray,
        rng: np.random.Generator,
        *,
        n_permutations: int,
        whiten: bool = True,
    ) -> Self:
        """Test a series, shape (n,).

        The statistic is max |Σ(xᵢ − x̄)|√(n/(k(n − k))) over the first k entries. Permutations
        require exchangeable errors: with `whiten`, the errors of a first-order autoregression,
        whose coefficient is that of the deviations from the two most probable levels.

        Parameters
        ----------
        series : ndarray
        rng : Generator
        n_permutations : int
        whiten : bool
        """
        correlation = _correlation(series) if whiten else 0.0
        errors = series[1:] - correlation * series[:-1] if whiten else series
        observed = _statistics(errors[None])[0]
        shuffled = rng.permuted(np.tile(errors, (n_permutations, 1)), axis=1)
        largest = _statistics(shuffled).max(axis=1)
        shift = 1 if whiten else 0
        position = int(observed.argmax()) + 1 + shift
        n_larger = int(np.count_nonzero(largest >= observed.max() * (1.0 - 1e-12)))
        return cls(
            position,
            (1 + n_larger) / (1 + n_permutations),
            float(series[:position].mean()),
            float(series[position:].mean()),
            correlation,
        )


def _statistics(series: np.ndarray) -> np.ndarray:
    """Return weighted cumulative sums of rows, shape (m, n − 1)."""
    n = series.shape[1]
    k = np.arange(1, n)
    sums = np.cumsum(series - series.mean(axis=1, keepdims=True), axis=1)[:, :-1]
    return np.asarray(np.abs(sums) * np.sqrt(n / (k * (n - k))))


def _correlation(series: np.ndarray) -> float:
    """Return the correlation of successive deviations from the two most probable levels.

    Deviations from one level would take a change of level for correlation.
    """
    position = int(_statistics(series[None])[0].argmax()) + 1
    before, after = (part - part.mean() for part in (series[:position], series[position:]))
    deviations = np.concatenate([before, after])
    square = float(deviations @ deviations)
    if not square > 0.0:
        return 0.0
    # Two levels are fitted: the estimate is about 2(1 + 2ρ)/n too low.
    raw = float(deviations[1:] @ deviations[:-1]) / square
    n = series.size
    correlation = (n * raw + 2.0) / max(n - 4.0, 1.0)
    return float(np.clip(correlation, 0.0, _LARGEST_CORRELATION))
