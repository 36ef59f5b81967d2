"""A residual network on the standard grid."""

from dataclasses import dataclass

import keras

from levy_calibration.networks.architecture import SingleNetwork, register, standardised
from levy_surfaces.synthetic.scaling import StandardScaler


@register
@dataclass(frozen=True)
class Resnet(SingleNetwork):
    """Residual blocks h ← h + W·silu(Vh + b) + c of constant width.

    Attributes
    ----------
    width : int
        Units of h.
    bottleneck : int
        Units inside a block.
    blocks : int
    """

    width: int = 256
    bottleneck: int = 128
    blocks: int = 3

    name = "resnet"
    reads = "grid"

    def trunk(
        self, features: keras.KerasTensor, scaler: StandardScaler
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        summary = standardised(features, scaler)
        hidden = self.dense(self.width, "stem")(summary)
        for k in range(self.blocks):
            inner = self.dense(self.bottleneck, f"inner_{k}")(hidden)
            outer = self.dense(self.width, f"outer_{k}", activation=None)(inner)
            hidden = keras.layers.Add(name=f"block_{k}")([hidden, outer])
        return keras.layers.Activation("silu", name="out")(hidden), summary
