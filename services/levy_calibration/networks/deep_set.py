"""A permutation-invariant network, which reads any set of quotes."""

from dataclasses import dataclass

import keras

from levy_calibration.networks.architecture import SingleNetwork, register
from levy_calibration.networks.layers import LeastSquaresPooling
from levy_surfaces.synthetic.scaling import StandardScaler


@register
@dataclass(frozen=True)
class DeepSet(SingleNetwork):
    """Quotes pooled by least squares in a learned basis, then dense layers.

    Attributes
    ----------
    n_basis, basis_width : int
        Size of the pooling layer.
    widths : tuple of int
        Units of each dense layer.
    """

    n_basis: int = 24
    basis_width: int = 32
    widths: tuple[int, ...] = (192, 192, 128)

    name = "set"
    reads = "points"

    def trunk(
        self, features: keras.KerasTensor, scaler: StandardScaler
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        pooling = LeastSquaresPooling(self.n_basis, self.basis_width, name="pooling")
        hidden = summary = pooling(features)
        for k, width in enumerate(self.widths):
            hidden = self.dense(width, f"dense_{k}")(hidden)
        return hidden, summary
