"""An ensemble of networks of several architectures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from levy_calibration.networks import architecture
from levy_calibration.networks.architecture import (
    LOG_DEVIATIONS,
    N_GRID,
    SUMMARY,
    UNIT_PARAMETERS,
    Architecture,
    register,
)
from levy_numerics.errors import InvalidInputError
from levy_surfaces.synthetic.scaling import StandardScaler

_MIN_DISAGREEMENT = 1e-4


@register
@dataclass(frozen=True)
class Ensemble(Architecture):
    """A mixture of normal distributions, one of each separately trained member.

    Members disagree outside the training distribution, so that the summary includes the logarithms
    of the deviations between them.

    Attributes
    ----------
    members : tuple of str
        Names of architectures that read the grid.
    """

    members: tuple[str, ...] = ("mlp", "cnn", "resnet")

    name = "ensemble"
    reads = "grid"

    def check(self) -> None:
        super().check()
        if len(self.members) < 2 or len(set(self.members)) < len(self.members):
            raise InvalidInputError("an ensemble requires at least two different members")
        for name in self.members:
            if name == self.name or architecture.get(name).reads != self.reads:
                raise InvalidInputError(
                    f"{name} cannot be a member of an ensemble: it does not read the grid"
                )

    def build(self, n_targets: int, scaler: StandardScaler, seed: int = 0) -> keras.Model:
        members = [
            architecture.get(name)().build(n_targets, scaler, seed + k)
            for k, name in enumerate(self.members)
        ]
        return assemble(members)


def assemble(members: Sequence[keras.Model]) -> keras.Model:
    """Return one network of trained members."""
    features = keras.Input((N_GRID,), name="features")
    outputs = [member(features) for member in members]
    units, deviations, disagreement = Mixture(name="mixture")(
        [[o[UNIT_PARAMETERS] for o in outputs], [o[LOG_DEVIATIONS] for o in outputs]]
    )
    summary = keras.layers.Concatenate(name="told")([outputs[0][SUMMARY], disagreement])
    combined = {UNIT_PARAMETERS: units, LOG_DEVIATIONS: deviations, SUMMARY: summary}
    return keras.Model(features, combined, name=Ensemble.name)


@keras.saving.register_keras_serializable("levy")
class Mixture(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Mean and deviation of a mixture of normals, and the disagreement of its members."""

    def call(self, outputs: Any) -> Any:
        """Return unit parameters, log deviations and log disagreement, shapes (n, p)."""
        units, log_deviations = (ops.stack(values, axis=0) for values in outputs)
        mean = ops.mean(units, axis=0)
        apart = ops.mean(ops.square(units - mean), axis=0)
        within = ops.mean(ops.exp(2.0 * log_deviations), axis=0)
        return (
            mean,
            0.5 * ops.log(within + apart),
            0.5 * ops.log(apart + _MIN_DISAGREEMENT**2),
        )
