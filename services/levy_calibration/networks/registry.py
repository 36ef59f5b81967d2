"""All architectures, which register on import."""

from levy_calibration.networks import (
    cnn,
    deep_set,
    ensemble,
    mlp,
    resnet,
)
from levy_calibration.networks.architecture import Architecture, get, names

__all__ = [
    "Architecture",
    "cnn",
    "deep_set",
    "ensemble",
    "get",
    "mlp",
    "names",
    "resnet",
]
