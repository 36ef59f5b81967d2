"""The interface of trained networks: quotes in, an initial guess with its uncertainty out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from levy_numerics.market import Quotes
from levy_numerics.models.base import Model


@dataclass(frozen=True)
class Proposal:
    """An initial guess.

    Attributes
    ----------
    model : Model
        Parameters inside the domain.
    spread : ndarray of shape (n_coordinates,), or None
        Predicted standard errors in the model's coordinates, if available.
    score : float
        Out-of-distribution score; 99.9% of the training surfaces are below 1.
    """

    model: Model
    spread: np.ndarray | None
    score: float


class Proposer(Protocol):
    """A verified and loaded network."""

    @property
    def model_type(self) -> str:
        """Name of the model whose parameters it proposes."""

    @property
    def network(self) -> str:
        """Name of its architecture."""

    @property
    def version(self) -> str:
        """Version of the artifact."""

    def propose(self, quotes: Quotes) -> Proposal:
        """Return the proposal for one surface.

        Raises
        ------
        UnsupportedError
            The quotes do not have the format that the network reads.
        """

    def propose_many(self, surfaces: Sequence[Quotes]) -> list[Proposal]:
        """Return the proposals for several surfaces."""
