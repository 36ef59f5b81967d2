"""A trained network as a proposer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from levy_calibration.drift.reference import Reference
from levy_calibration.networks.grid_interpolation import gridded
from levy_calibration.networks.out_of_distribution import Novelty
from levy_calibration.networks.runtime import Answers, Runtime
from levy_numerics.calibration.hybrid import Proposal
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_surfaces.synthetic.features import point_features
from levy_surfaces.synthetic.priced import PricedSurfaces
from levy_surfaces.synthetic.ranges import Box


@dataclass(frozen=True)
class TrainedNetwork:
    """A `Proposer`: features in by the same code as in training, places out to parameters.

    Attributes
    ----------
    model_type, network, version : str
    reads : {"grid", "points"}
    box : Box
        Of the model: what places mean.
    runtime : Runtime
    novelty : Novelty
    reference : Reference, optional
        How inputs and parameters were distributed in training.
    """

    model_type: str
    network: str
    version: str
    reads: Literal["grid", "points"]
    box: Box
    runtime: Runtime
    novelty: Novelty
    reference: Reference | None = None

    def propose(self, quotes: Quotes) -> Proposal:
        """Read one surface; see `Proposer`."""
        return self.propose_many([quotes])[0]

    def propose_many(self, surfaces: Sequence[Quotes]) -> list[Proposal]:
        """Read several at once."""
        if not surfaces:
            return []
        answers = self.answers(PricedSurfaces.of_quotes(surfaces))
        models = self.box.model(answers.places)
        spreads = self.box.spread(np.exp(answers.log_deviations))
        scores = self.novelty.score(answers.summary)
        return [
            Proposal(_with_numbers(models.select(k)), spreads[k], float(scores[k]))
            for k in range(len(surfaces))
        ]

    def answers(self, surfaces: PricedSurfaces) -> Answers:
        """What the network says of n surfaces, as it says it."""
        return self.runtime(self.features(surfaces))

    def features(self, surfaces: PricedSurfaces) -> np.ndarray:
        """What the network reads, shape (n, 200) or (n, any, 5).

        Raises
        ------
        UnsupportedError
            It reads the standard grid, which these quotes are too few to be moved to.
        """
        return gridded(surfaces) if self.reads == "grid" else point_features(surfaces)[0]


def _with_numbers(model: Model) -> Model:
    """The same parameters as plain numbers."""
    return type(model)(**{name: float(value) for name, value in model.as_mapping().items()})
