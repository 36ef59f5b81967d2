"""Plots of real quotes and the posterior's predictive bands, for the documentation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np

from levy_numerics.market import Quotes
from levy_surfaces.summary import vols_of

mpl.use("svg")
from matplotlib import pyplot as plt

_COLUMNS: Final = 4
_MARGIN: Final = 0.5
"""Margin of a plot, relative to the market's range; bands are clipped to it."""
_DIGITS: Final = 5
"""Decimals of stored volatilities: a thousandth of a vol point."""


def bands_of(
    quotes: Quotes, low: np.ndarray, mean: np.ndarray, high: np.ndarray
) -> list[dict[str, Any]]:
    """Return implied volatilities by maturity: of quotes, and of ends and mean of their bands.

    Parameters
    ----------
    quotes : Quotes
    low, mean, high : ndarray, shape (n,)
        Prices.

    Returns
    -------
    list of dict
        One per maturity; null if a price does not determine a volatility.
    """
    c = quotes.contracts
    vols = {
        name: vols_of(price, c)
        for name, price in (("market", quotes.price), ("low", low), ("mean", mean), ("high", high))
    }
    found = []
    for years in np.unique(c.maturity_years):
        mine = np.flatnonzero(c.maturity_years == years)
        mine = mine[np.argsort(c.strike[mine])]
        smile = {name: _rounded(vol[mine]) for name, vol in vols.items()}
        found.append({"years": float(years), "strike": c.strike[mine].tolist()} | smile)
    return found


def plot_bands(smiles: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Plot a smile for each maturity; the same smiles give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plt.rcParams.update({"svg.hashsalt": "levy", "font.size": 8, "svg.fonttype": "none"})
    columns = min(len(smiles), _COLUMNS)
    rows = -(-len(smiles) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.3 * max(columns, 2), 2.0 * rows), squeeze=False
    )
    for axis in axes.flat[len(smiles) :]:
        axis.set_visible(False)
    for axis, smile in zip(axes.flat, smiles, strict=False):
        low, mean, high, market = (
            100.0 * np.array(smile[name], dtype=float) for name in ("low", "mean", "high", "market")
        )
        # A price below intrinsic value has no implied volatility; zero is its limit.
        axis.fill_between(smile["strike"], np.nan_to_num(low), high, color="#c2410c", alpha=0.18)
        axis.plot(smile["strike"], mean, color="#c2410c", linewidth=1.0)
        axis.plot(smile["strike"], market, ".", color="#33506b", markersize=3)
        margin = _MARGIN * (np.nanmax(market) - np.nanmin(market))
        axis.set_ylim(max(0.0, np.nanmin(market) - margin), np.nanmax(market) + margin)
        axis.set_title(f"{365 * smile['years']:.0f} days")
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("implied vol, %")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _rounded(vol: np.ndarray) -> list[float | None]:
    return [round(float(x), _DIGITS) if np.isfinite(x) else None for x in vol]
