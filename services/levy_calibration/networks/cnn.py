"""A convolutional network on the standard grid."""

from dataclasses import dataclass

import keras

from levy_calibration.networks.architecture import SingleNetwork, register, standardised
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.scaling import StandardScaler


@register
@dataclass(frozen=True)
class Cnn(SingleNetwork):
    """3 × 3 convolutions over (maturity, strike) with stride 2, then dense layers.

    Attributes
    ----------
    channels : tuple of int
        Channels of each convolution.
    widths : tuple of int
        Units of each dense layer.
    """

    channels: tuple[int, ...] = (24, 48)
    widths: tuple[int, ...] = (192, 128)

    name = "cnn"
    reads = "grid"

    def trunk(
        self, features: keras.KerasTensor, scaler: StandardScaler
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        summary = standardised(features, scaler)
        hidden = keras.layers.Reshape((*grid.SHAPE, 1), name="image")(summary)
        for k, channels in enumerate(self.channels):
            hidden = keras.layers.Conv2D(
                channels,
                3,
                strides=2,
                padding="same",
                activation="silu",
                name=f"convolution_{k}",
            )(hidden)
        hidden = keras.layers.Flatten(name="flat")(hidden)
        for k, width in enumerate(self.widths):
            hidden = self.dense(width, f"dense_{k}")(hidden)
        return hidden, summary
