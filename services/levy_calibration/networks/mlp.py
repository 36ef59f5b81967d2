"""A multilayer perceptron on the standard grid."""

from dataclasses import dataclass

import keras

from levy_calibration.networks.architecture import SingleNetwork, register, standardised
from levy_surfaces.synthetic.scaling import StandardScaler


@register
@dataclass(frozen=True)
class Mlp(SingleNetwork):
    """Dense layers.

    Attributes
    ----------
    widths : tuple of int
        Units of each layer.
    """

    widths: tuple[int, ...] = (256, 256, 128)

    name = "mlp"
    reads = "grid"

    def trunk(
        self, features: keras.KerasTensor, scaler: StandardScaler
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        summary = hidden = standardised(features, scaler)
        for k, width in enumerate(self.widths):
            hidden = self.dense(width, f"dense_{k}")(hidden)
        return hidden, summary
