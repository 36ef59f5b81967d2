"""What a trained network is to those who use it: quotes in, a start and its doubts out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from levy_numerics.market import Quotes
from levy_numerics.models.base import Model


@dataclass(frozen=True)
class Proposal:
    """Where to begin.

    Attributes
    ----------
    model : Model
        Inside the domain.
    spread : ndarray of shape (n_coordinates,), or None
        Standard deviations in the model's coordinates, where the network tells them.
    score : float
        How unlike the training surfaces these quotes are; above 1 is outside of what 99.9% of
        them show.
    """

    model: Model
    spread: np.ndarray | None
    score: float


class Proposer(Protocol):
    """A network, loaded and verified."""

    @property
    def model_type(self) -> str:
        """Name of the model whose parameters it proposes."""

    @property
    def network(self) -> str:
        """Its architecture."""

    @property
    def version(self) -> str:
        """Of the artifact."""

    def propose(self, quotes: Quotes) -> Proposal:
        """Read one surface.

        Raises
        ------
        UnsupportedError
            The network cannot read such quotes.
        """

    def propose_many(self, surfaces: Sequence[Quotes]) -> list[Proposal]:
        """Read several at once."""
