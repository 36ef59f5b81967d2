"""Sobol indices: shares of a variance that inputs explain, alone and with interactions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from SALib.analyze import sobol as analysis
from SALib.sample import sobol as design


@dataclass(frozen=True)
class SobolIndices:
    """First-order and total indices of one output.

    Attributes
    ----------
    names : tuple of str
        Inputs.
    first, total : ndarray, shape (d,)
        Shares of the variance: by the input alone, and with all its interactions.
    first_width, total_width : ndarray, shape (d,)
        Half-widths of bootstrap intervals of 95%.

    References
    ----------
    Saltelli, Annoni, Azzini, Campolongo, Ratto and Tarantola (2010), Computer Physics
    Communications 181(2), 259-270; estimated by SALib.
    """

    names: tuple[str, ...]
    first: np.ndarray
    total: np.ndarray
    first_width: np.ndarray
    total_width: np.ndarray


def sobol_indices(
    function: Callable[[np.ndarray], np.ndarray],
    bounds: Mapping[str, tuple[float, float]],
    *,
    n: int,
    n_resamples: int,
    seed: int,
) -> list[SobolIndices]:
    """Return the indices of each output of a function of independent uniform inputs.

    Parameters
    ----------
    function : callable
        Inputs, shape (m, d) ↦ outputs, shape (m, k), with m = n·(d + 2).
    bounds : mapping of str to (low, high)
        d inputs.
    n : int
        A power of two.
    n_resamples, seed : int
        Of the bootstrap; of design and bootstrap.
    """
    problem: dict[str, Any] = {
        "num_vars": len(bounds),
        "names": list(bounds),
        "bounds": [list(ends) for ends in bounds.values()],
    }
    points = design.sample(problem, n, calc_second_order=False, seed=seed)
    outputs = function(points)
    return [_indices(problem, tuple(bounds), column, n_resamples, seed) for column in outputs.T]


def _indices(
    problem: Mapping[str, Any], names: tuple[str, ...], values: np.ndarray, n: int, seed: int
) -> SobolIndices:
    estimates = analysis.analyze(
        problem, values, calc_second_order=False, num_resamples=n, seed=seed
    )
    return SobolIndices(
        names, estimates["S1"], estimates["ST"], estimates["S1_conf"], estimates["ST_conf"]
    )


def rows(
    outputs: Sequence[str], indices: Sequence[SobolIndices]
) -> list[tuple[str, str, float, float, float, float]]:
    """Return rows of a table: output, input, first order ± and total ±."""
    return [
        (output, name, *numbers)
        for output, of_output in zip(outputs, indices, strict=True)
        for name, *numbers in zip(
            of_output.names,
            of_output.first,
            of_output.first_width,
            of_output.total,
            of_output.total_width,
            strict=True,
        )
    ]
