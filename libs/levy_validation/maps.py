"""Heat maps over strikes and maturities."""

from typing import Final

import numpy as np

from levy_numerics.market import Contracts
from levy_validation.section import Heatmap

_COLUMNS: Final = 12


def over_strikes_and_maturities(
    contracts: Contracts, values: np.ndarray, *, title: str, unit: str
) -> Heatmap:
    """Return the mean of values, shape (n,), in cells of equal numbers of quotes in ln(K/F)."""
    x = -contracts.log_moneyness
    edges = np.unique(np.quantile(x, np.linspace(0.0, 1.0, _COLUMNS + 1)))
    n_columns = max(edges.size - 1, 1)
    column = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, n_columns - 1)
    maturities, row = contracts.by_maturity.maturity_groups
    total, count = np.zeros((2, maturities.size, n_columns))
    np.add.at(total, (row, column), values)
    np.add.at(count, (row, column), 1.0)
    with np.errstate(invalid="ignore"):
        mean = total / count
    centres = [f"{np.median(x[column == k]):+.3f}" for k in range(n_columns)]
    years = [f"{t:.3f}" for t in maturities]
    return Heatmap(title, "ln(K/F)", "maturity, years", unit, centres, years, mean)
