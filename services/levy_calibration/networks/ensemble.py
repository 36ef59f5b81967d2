"""Several networks of other architectures that answer together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from levy_calibration.networks import architecture
from levy_calibration.networks.architecture import (
    LOG_DEVIATIONS,
    N_GRID,
    PLACES,
    SUMMARY,
    Architecture,
    register,
)
from levy_numerics.errors import InvalidInputError
from levy_surfaces.synthetic.scaling import StandardScaler

_AGREED = 1e-4


@register
@dataclass(frozen=True)
class Ensemble(Architecture):
    """Members are trained on their own; their answers are one mixture of normals.

    Where they disagree, the surface is unlike those they were trained on: the summary ends with the
    logarithms of the deviations among them.

    Attributes
    ----------
    members : tuple of str
        Architectures that read the grid.
    """

    members: tuple[str, ...] = ("mlp", "cnn", "resnet")

    name = "ensemble"
    reads = "grid"

    def check(self) -> None:
        super().check()
        if len(self.members) < 2 or len(set(self.members)) < len(self.members):
            raise InvalidInputError("an ensemble has at least two members, each another network")
        for name in self.members:
            if name == self.name or architecture.get(name).reads != self.reads:
                raise InvalidInputError(f"{name} cannot be a member of an ensemble")

    def build(self, n_targets: int, scaler: StandardScaler, seed: int = 0) -> keras.Model:
        made = [
            architecture.get(name)().build(n_targets, scaler, seed + k)
            for k, name in enumerate(self.members)
        ]
        return assemble(made)


def assemble(members: Sequence[keras.Model]) -> keras.Model:
    """One network of trained members."""
    features = keras.Input((N_GRID,), name="features")
    answers = [member(features) for member in members]
    places, deviations, disagreement = Mixture(name="mixture")(
        [[answer[PLACES] for answer in answers], [answer[LOG_DEVIATIONS] for answer in answers]]
    )
    summary = keras.layers.Concatenate(name="told")([answers[0][SUMMARY], disagreement])
    outputs = {PLACES: places, LOG_DEVIATIONS: deviations, SUMMARY: summary}
    return keras.Model(features, outputs, name=Ensemble.name)


@keras.saving.register_keras_serializable("levy")
class Mixture(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Mean and deviation of a mixture of normals, and how far its members lie apart."""

    def call(self, answers: Any) -> Any:
        """Return places, log deviations and log disagreement, shapes (n, p)."""
        places, log_deviations = (ops.stack(each, axis=0) for each in answers)
        mean = ops.mean(places, axis=0)
        apart = ops.mean(ops.square(places - mean), axis=0)
        within = ops.mean(ops.exp(2.0 * log_deviations), axis=0)
        return (
            mean,
            0.5 * ops.log(within + apart),
            0.5 * ops.log(apart + _AGREED**2),
        )
