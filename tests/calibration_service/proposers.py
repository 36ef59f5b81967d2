"""Fake networks that propose a given model or reject the quotes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from levy_numerics.calibration.hybrid import Proposal
from levy_numerics.errors import UnsupportedError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model


@dataclass(frozen=True)
class Knowing:
    """Proposes the same model for all quotes."""

    model: Model
    version: str = "1"
    network: str = "knowing"
    score: float = 0.5
    spread: float | None = 0.02

    @property
    def model_type(self) -> str:
        return self.model.name

    def propose(self, quotes: Quotes) -> Proposal:
        n = len(self.model.parameters())
        spread = None if self.spread is None else np.full(n, self.spread)
        return Proposal(self.model, spread, self.score)

    def propose_many(self, surfaces: Sequence[Quotes]) -> list[Proposal]:
        return [self.propose(quotes) for quotes in surfaces]


@dataclass(frozen=True)
class Declining(Knowing):
    """Rejects all quotes."""

    def propose(self, quotes: Quotes) -> Proposal:
        raise UnsupportedError("declining reads 1 quote of 1 year")


def beside(model: Model, by: float = 0.02) -> Model:
    """Return a model shifted by `by` in each coordinate."""
    return type(model).from_coordinates(np.asarray(model.to_coordinates(), dtype=float) + by)
