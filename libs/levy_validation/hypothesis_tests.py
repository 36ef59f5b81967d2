"""Comparisons of forecasts: Diebold-Mariano, paired tests with corrections, confidence sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from arch.bootstrap import MCS
from scipy import stats
from statsmodels.stats.multitest import multipletests

CORRECTIONS: Final = {"Bonferroni": "bonferroni", "Holm": "holm", "Benjamini-Hochberg": "fdr_bh"}


@dataclass(frozen=True)
class DieboldMariano:
    """Test of equal accuracy of two forecasts.

    Attributes
    ----------
    statistic : float
        Positive where the first forecast loses more.
    p_value : float
        Two-sided.
    n : int
    horizon : int

    References
    ----------
    Diebold and Mariano (1995), Journal of Business & Economic Statistics 13(3), 253-263; Harvey,
    Leybourne and Newbold (1997), International Journal of Forecasting 13(2), 281-291.
    """

    statistic: float
    p_value: float
    n: int
    horizon: int

    @classmethod
    def of(cls, first: np.ndarray, second: np.ndarray, horizon: int = 1) -> Self:
        """Compare losses, shapes (n,), of forecasts so many steps ahead.

        The variance of the mean difference is (γ₀ + 2Σγₖ)/n with the autocovariances below the
        horizon; where that is not positive, γ₀/n. The statistic has the correction of Harvey,
        Leybourne and Newbold, and Student's t with n − 1 degrees of freedom. It is NaN unless n
        exceeds the horizon.
        """
        d = first - second
        n = d.size
        centred = d - d.mean()
        covariances = [float(centred[k:] @ centred[: n - k]) / n for k in range(min(horizon, n))]
        long_run = covariances[0] + 2.0 * sum(covariances[1:])
        variance = (long_run if long_run > 0.0 else covariances[0]) / n
        if n <= horizon or not variance > 0.0:
            return cls(np.nan, np.nan, n, horizon)
        correction = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
        statistic = float(d.mean() / np.sqrt(variance) * np.sqrt(max(correction, 0.0)))
        return cls(statistic, float(2.0 * stats.t.sf(abs(statistic), n - 1)), n, horizon)


@dataclass(frozen=True)
class PairedTest:
    """Tests of whether a competitor's losses differ from those of a reference.

    Attributes
    ----------
    name : str
        The competitor.
    mean_difference : float
        Competitor less reference.
    t, wilcoxon : float
        p-values of the paired t test and of Wilcoxon's signed-rank test.
    corrected : mapping of str to float
        Corrected p-values of Wilcoxon's test, by correction.
    """

    name: str
    mean_difference: float
    t: float
    wilcoxon: float
    corrected: Mapping[str, float]


def paired_tests(
    reference: np.ndarray, competitors: Mapping[str, np.ndarray]
) -> tuple[PairedTest, ...]:
    """Compare losses of competitors with those of a reference, arrays of shape (n,).

    p-values are corrected for the number of competitors.
    """
    t, wilcoxon = [], []
    for losses in competitors.values():
        d = losses - reference
        is_equal = not np.any(d)
        t.append(1.0 if is_equal else float(stats.ttest_1samp(d, 0.0).pvalue))
        wilcoxon.append(1.0 if is_equal else float(stats.wilcoxon(d).pvalue))
    corrected = {
        name: multipletests(wilcoxon, method=method)[1] for name, method in CORRECTIONS.items()
    }
    return tuple(
        PairedTest(
            name,
            float(np.mean(losses - reference)),
            t[k],
            wilcoxon[k],
            {correction: float(values[k]) for correction, values in corrected.items()},
        )
        for k, (name, losses) in enumerate(competitors.items())
    )


def model_confidence_set(
    losses: Mapping[str, np.ndarray], *, size: float, n_resamples: int, seed: int
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Return the p-value of each model, and the models that the set contains.

    Parameters
    ----------
    losses : mapping of str to ndarray, shape (n,)
        Of two models or more.
    size : float
        Share of samples in which the set lacks the best model.
    n_resamples, seed : int
        Of the stationary bootstrap.

    References
    ----------
    Hansen, Lunde and Nason (2011), Econometrica 79(2), 453-497; computed by `arch`.
    """
    names = tuple(losses)
    confidence = MCS(np.column_stack(list(losses.values())), size, reps=n_resamples, seed=seed)
    confidence.compute()
    table = confidence.pvalues.sort_index()
    p_values = dict(zip(names, map(float, table["Pvalue"]), strict=True))
    return p_values, tuple(name for k, name in enumerate(names) if k in confidence.included)
