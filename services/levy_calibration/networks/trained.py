"""A trained network, loaded for serving."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from levy_calibration.drift.reference import Reference
from levy_calibration.networks.grid_interpolation import interpolate_to_grid
from levy_calibration.networks.out_of_distribution import OutOfDistributionDetector
from levy_calibration.networks.runtime import NetworkOutput, Runtime
from levy_numerics.calibration.hybrid import Proposal
from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_schemas.networks import SURFACE_SIZE, Reads
from levy_surfaces.synthetic.features import POINT_CHANNELS, point_features
from levy_surfaces.synthetic.priced import PricedSurfaces
from levy_surfaces.synthetic.ranges import Box


@dataclass(frozen=True)
class TrainedNetwork:
    """A `Proposer` that computes features by the same code as training.

    Attributes
    ----------
    model_type, network, version : str
    reads : {"grid", "points"}
    box : Box
        The model's box, which maps unit parameters to parameters.
    runtime : Runtime
    detector : OutOfDistributionDetector
    reference : Reference, optional
        Distribution of inputs and parameters in training.
    """

    model_type: str
    network: str
    version: str
    reads: Reads
    box: Box
    runtime: Runtime
    detector: OutOfDistributionDetector
    reference: Reference | None = None

    def check(self) -> None:
        """Raise `InvalidInputError` unless a pass has outputs of the model's size, all finite."""
        shape = (1, SURFACE_SIZE) if self.reads == "grid" else (1, 1, len(POINT_CHANNELS))
        output = self.runtime(np.zeros(shape, dtype=np.float32))
        expected = (1, len(self.box.axes))
        if not (output.unit_parameters.shape == output.log_deviations.shape == expected):
            raise InvalidInputError(f"the network does not have the outputs of {self.model_type}")
        finite = (np.isfinite(values).all() for values in vars(output).values())
        if not all(finite) or not np.isfinite(self.detector.score(output.summary)).all():
            raise InvalidInputError("outputs of the network are not finite")

    def propose(self, quotes: Quotes) -> Proposal:
        """Return the proposal for one surface; see `Proposer`."""
        return self.propose_many([quotes])[0]

    def propose_many(self, surfaces: Sequence[Quotes]) -> list[Proposal]:
        """Return the proposals for several surfaces."""
        if not surfaces:
            return []
        output = self.output(PricedSurfaces.of_quotes(surfaces))
        models = self.box.model(output.unit_parameters)
        spreads = self.box.spread(np.exp(output.log_deviations))
        scores = self.detector.score(output.summary)
        return [
            Proposal(_with_floats(models.select(k)), spreads[k], float(scores[k]))
            for k in range(len(surfaces))
        ]

    def output(self, surfaces: PricedSurfaces) -> NetworkOutput:
        """Return the network's output for n surfaces."""
        return self.runtime(self.features(surfaces))

    def features(self, surfaces: PricedSurfaces) -> np.ndarray:
        """Return the network's input, shape (n, 200) or (n, any, 5).

        Raises
        ------
        UnsupportedError
            The quotes are too few to be interpolated to the standard grid.
        """
        return (
            interpolate_to_grid(surfaces) if self.reads == "grid" else point_features(surfaces)[0]
        )


def _with_floats(model: Model) -> Model:
    """Return the model with parameters of type float."""
    return type(model)(**{name: float(value) for name, value in model.as_mapping().items()})
