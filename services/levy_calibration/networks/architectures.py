"""All architectures, registered by being imported."""

from levy_calibration.networks import cnn, ensemble, mlp, resnet, sets
from levy_calibration.networks.architecture import Architecture, get, names

__all__ = ["Architecture", "cnn", "ensemble", "get", "mlp", "names", "resnet", "sets"]
