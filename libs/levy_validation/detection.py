"""How well a score separates surfaces: receiver operating characteristic (ROC) and its area."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from scipy.stats import norm, rankdata

_POINTS: Final = 101


@dataclass(frozen=True)
class Separation:
    """Separation of unusual from usual surfaces by a score.

    Attributes
    ----------
    auc : float
        Probability that an unusual surface has the higher score, ties counted half.
    standard_error : float
        Of the area, by DeLong's formula.
    false_alarms, detections : ndarray, shape (101,)
        The ROC curve: rates at each threshold.
    """

    auc: float
    standard_error: float
    false_alarms: np.ndarray
    detections: np.ndarray

    @classmethod
    def of(cls, usual: np.ndarray, unusual: np.ndarray) -> Self:
        """Compare scores of usual, shape (m,), and unusual surfaces, shape (n,).

        References
        ----------
        DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44(3), 837-845; the ranks are those of
        Sun and Xu (2014), IEEE Signal Processing Letters 21(11), 1389-1393.
        """
        m, n = usual.size, unusual.size
        ranks = rankdata(np.concatenate([usual, unusual]))
        auc = (ranks[m:].sum() - 0.5 * n * (n + 1)) / (m * n)
        by_usual = 1.0 - (ranks[:m] - rankdata(usual)) / n
        by_unusual = (ranks[m:] - rankdata(unusual)) / m
        variance = sum(
            np.var(v, ddof=1) / v.size if v.size > 1 else 0.0 for v in (by_usual, by_unusual)
        )
        false_alarms = np.linspace(0.0, 1.0, _POINTS)
        thresholds = np.quantile(usual, 1.0 - false_alarms, method="higher")
        detections = np.mean(unusual[:, None] >= thresholds, axis=0)
        return cls(float(auc), float(np.sqrt(variance)), false_alarms, detections)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the normal interval of the area, cut to [0, 1]."""
        width = float(norm.ppf(0.5 + 0.5 * level)) * self.standard_error
        return max(self.auc - width, 0.0), min(self.auc + width, 1.0)
