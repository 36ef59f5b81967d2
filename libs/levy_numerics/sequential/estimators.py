"""The estimators of `levy follow`, by name."""

from collections.abc import Callable
from typing import Final

from levy_numerics.errors import InvalidInputError
from levy_numerics.models.base import Model
from levy_numerics.sequential.followers import Follower, KalmanFollower, WarmStart
from levy_numerics.sequential.penalised_follower import PenalisedFollower

ESTIMATORS: Final[dict[str, Callable[[type[Model], str | None], Follower]]] = {
    "filter": KalmanFollower,
    "penalised": PenalisedFollower,
    "warm": WarmStart,
}
"""Estimators by name."""


def follower_of(estimator: str, model: type[Model], weights: str | None = None) -> Follower:
    """Return a new follower of a model.

    Raises
    ------
    InvalidInputError
        The estimator is unknown.
    """
    if estimator not in ESTIMATORS:
        raise InvalidInputError(f"estimator = {estimator!r} must be one of {', '.join(ESTIMATORS)}")
    return ESTIMATORS[estimator](model, weights)
