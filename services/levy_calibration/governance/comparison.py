"""Compare two networks on logged surfaces."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from levy_calibration.governance.logged_surfaces import LoggedSurface
from levy_numerics import models
from levy_numerics.calibration import FitQuality
from levy_numerics.calibration.hybrid import FitStrategy, Proposer
from levy_numerics.calibration.local_fit import evaluate_at
from levy_numerics.errors import InvalidInputError, LevyError

Progress = Callable[[int, int], None]
_BASIS_POINTS: Final = 1e4


@dataclass(frozen=True)
class Losses:
    """Losses of a network on n surfaces, in the order of time.

    Attributes
    ----------
    start_bp : ndarray, shape (n,)
        Root-mean-square error of volatility of its initial guess against the quotes, in basis
        points.
    fit_bp : ndarray, shape (n,)
        The same after least squares.
    evaluations : ndarray, shape (n,)
        Surfaces priced until the fit ended.
    accepted : ndarray of bool, shape (n,)
        Whether no restart found a better fit.
    """

    start_bp: np.ndarray
    fit_bp: np.ndarray
    evaluations: np.ndarray
    accepted: np.ndarray


@dataclass(frozen=True)
class NetworkComparison:
    """Losses of two networks on the surfaces that both read.

    Attributes
    ----------
    names : tuple of str
        Identifiers of the surfaces.
    champion, challenger : Losses
    skipped : tuple of str
        A sentence for each surface that a network does not read.
    """

    names: tuple[str, ...]
    champion: Losses
    challenger: Losses
    skipped: tuple[str, ...]


@dataclass
class _Rows:
    """Losses of one network, collected surface by surface."""

    start_bp: list[float] = field(default_factory=list)
    fit_bp: list[float] = field(default_factory=list)
    evaluations: list[int] = field(default_factory=list)
    accepted: list[bool] = field(default_factory=list)

    def losses(self) -> Losses:
        return Losses(*(np.array(values) for values in vars(self).values()))


def compare_networks(
    champion: Proposer,
    challenger: Proposer,
    surfaces: Iterable[LoggedSurface],
    progress: Progress = lambda done, total: None,
) -> NetworkComparison:
    """Fit each surface from the guess of either network.

    Raises
    ------
    InvalidInputError
        The networks were trained for different models, or no surface can be read by both.
    """
    if champion.model_type != challenger.model_type:
        raise InvalidInputError(
            f"{champion.version} is a network of {champion.model_type}, {challenger.version} of "
            f"{challenger.model_type}"
        )
    listed = list(surfaces)
    names: list[str] = []
    skipped: list[str] = []
    rows = (_Rows(), _Rows())
    for done, surface in enumerate(listed):
        progress(done, len(listed))
        try:
            for network in (champion, challenger):
                network.propose(surface.quotes)
        except LevyError as error:
            skipped.append(f"{surface.entry.id}: {network.version}: {error.message}")
            continue
        names.append(surface.entry.id)
        for network, row in zip((champion, challenger), rows, strict=True):
            _add(row, network, surface)
    progress(len(listed), len(listed))
    if not names:
        raise InvalidInputError(f"no surface is read by both networks: {skipped[0]}")
    return NetworkComparison(tuple(names), rows[0].losses(), rows[1].losses(), tuple(skipped))


def _add(row: _Rows, network: Proposer, surface: LoggedSurface) -> None:
    weights, quotes = surface.request.weights, surface.quotes
    strategy = FitStrategy("hybrid", weights, n_starts=surface.entry.n_starts)
    fit = strategy.fit(models.get(network.model_type), quotes, [network])
    if fit.proposal is None:
        raise InvalidInputError(f"{network.version} did not propose for {surface.entry.id}")
    start = evaluate_at(quotes, fit.proposal.model, weights=weights)
    row.start_bp.append(_basis_points(start.fit))
    row.fit_bp.append(_basis_points(fit.results[0].fit))
    row.evaluations.append(fit.n_evaluations)
    row.accepted.append(fit.network == network.version)


def _basis_points(quality: FitQuality) -> float:
    return _BASIS_POINTS * quality.implied_vol_rmse
