"""Initial networks from trained ones, for fine-tuning or for another model."""

from pathlib import Path
from typing import Final

import keras
import numpy as np

from levy_calibration.networks.architecture import LOG_DEVIATIONS, UNIT_PARAMETERS
from levy_calibration.registry.artifact import TRAINABLE, Artifact
from levy_calibration.training.export import load_trainable
from levy_calibration.training.recipe import Recipe
from levy_numerics.errors import InvalidInputError
from levy_surfaces.synthetic.ranges import Box
from levy_surfaces.synthetic.scaling import StandardScaler

_HEAD: Final = (UNIT_PARAMETERS, LOG_DEVIATIONS)
_SCALER: Final = "standardised"


def initial_network(artifact: Artifact, recipe: Recipe, model: str) -> keras.Model:
    """Return the network of an artifact as an initial network.

    For the same model it is used whole, for another model without its last layer.

    Raises
    ------
    InvalidInputError
        The artifact's architecture or layer sizes differ from the recipe's.
    """
    if artifact.network != recipe.network:
        raise InvalidInputError(
            f"{artifact.version} is of network {artifact.network}, the recipe of {recipe.network}"
        )
    artifact.verify()
    source = load_trainable(Path(artifact.folder, TRAINABLE))
    if artifact.model == model:
        return source
    n_targets = len(Box.of(model).axes)
    fresh = recipe.architecture().build(n_targets, _scaler_of(source), recipe.seed)
    for layer in fresh.layers:
        if layer.name not in _HEAD and layer.weights:
            _copy(source, layer)
    return fresh


def _copy(source: keras.Model, layer: keras.layers.Layer) -> None:
    try:
        layer.set_weights(source.get_layer(layer.name).get_weights())
    except ValueError as error:
        raise InvalidInputError(
            f"layer {layer.name} differs in size; use the options of the recipe of the initial "
            f"network ({str(error).splitlines()[0]})"
        ) from None


def _scaler_of(network: keras.Model) -> StandardScaler:
    """Return the scaler of the first layer, the identity if there is no such layer."""
    if _SCALER not in {layer.name for layer in network.layers}:
        return StandardScaler(np.zeros(1), np.ones(1))
    config = network.get_layer(_SCALER).get_config()
    mean, variance = (np.asarray(config[name], dtype=float) for name in ("mean", "variance"))
    return StandardScaler(mean.ravel(), np.sqrt(variance).ravel())
