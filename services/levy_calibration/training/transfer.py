"""Training that begins from a trained network: on new data, or for another model."""

from pathlib import Path
from typing import Final

import keras
import numpy as np

from levy_calibration.networks.architecture import LOG_DEVIATIONS, PLACES
from levy_calibration.registry.artifact import TRAINABLE, Artifact
from levy_calibration.training.export import load_trainable
from levy_calibration.training.recipe import Recipe
from levy_numerics.errors import InvalidInputError
from levy_surfaces.synthetic.ranges import Box
from levy_surfaces.synthetic.scaling import StandardScaler

_HEAD: Final = (PLACES, LOG_DEVIATIONS)
_SCALER: Final = "standardised"


def start_from(artifact: Artifact, recipe: Recipe, model: str) -> keras.Model:
    """A network to go on from.

    For the model it was trained for it is taken whole, for another without its last layer.

    Raises
    ------
    InvalidInputError
        The artifact is of another architecture than the recipe's, or of other sizes.
    """
    if artifact.network != recipe.network:
        raise InvalidInputError(
            f"{artifact.version} is a {artifact.network}, the recipe makes a {recipe.network}"
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
            f"layer {layer.name} of the two networks differs; use the recipe's options of the "
            f"first ({str(error).splitlines()[0]})"
        ) from None


def _scaler_of(network: keras.Model) -> StandardScaler:
    """What the first layer takes off and divides by; nothing where there is no such layer."""
    if _SCALER not in {layer.name for layer in network.layers}:
        return StandardScaler(np.zeros(1), np.ones(1))
    told = network.get_layer(_SCALER).get_config()
    mean, variance = (np.asarray(told[name], dtype=float) for name in ("mean", "variance"))
    return StandardScaler(mean.ravel(), np.sqrt(variance).ravel())
