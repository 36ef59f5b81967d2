"""From a trained network to an artifact."""

import json
import platform
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile, ZipInfo

import keras
import numpy as np

from levy_calibration.networks import registry  # noqa: F401  # registers custom layers
from levy_calibration.networks.architecture import N_CHANNELS, N_GRID, SUMMARY
from levy_calibration.networks.layers import LeastSquaresPooling
from levy_calibration.networks.out_of_distribution import Novelty
from levy_calibration.registry.artifact import NOVELTY, SERVED, TRAINABLE, pack

_PACKAGES: Final = ("levy-calibration-engine", "keras", "numpy", "tensorflow", "ai-edge-litert")
_PIECE: Final = 2048


def files_of(network: keras.Model, features: Sequence[np.ndarray]) -> dict[str, bytes]:
    """Content of an artifact's files.

    Parameters
    ----------
    network : keras.Model
    features : sequence of ndarray
        Of surfaces with noise and gaps, by which others will be known to be unlike them.
    """
    summaries = np.concatenate([_summaries(network, each) for each in features])
    return {
        SERVED: served(network),
        TRAINABLE: trainable(network),
        NOVELTY: pack(Novelty.fit(summaries)),
    }


def served(network: keras.Model) -> bytes:
    """The network as a LiteRT flat buffer, for any number of surfaces and points."""
    reads_points = len(network.input.shape) == 3
    shape = (None, None, N_CHANNELS) if reads_points else (None, N_GRID)
    plain = keras.models.clone_model(network, clone_function=_unrolled) if reads_points else network
    if reads_points:
        plain.set_weights(network.get_weights())
    signature = [keras.InputSpec(dtype="float32", shape=shape)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, SERVED)
        plain.export(path, format="litert", verbose=False, input_signature=signature)
        return path.read_bytes()


def trainable(network: keras.Model) -> bytes:
    """The network as Keras keeps it, to train further: the same bytes whenever it is written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, TRAINABLE)
        network.save(path)
        return _undated(path)


def load_trainable(path: Path) -> keras.Model:
    """Read what `trainable` wrote; code in the file is not run."""
    loaded: keras.Model = keras.saving.load_model(path, compile=False, safe_mode=True)
    return loaded


def provenance() -> dict[str, Any]:
    """What made a network, for its manifest."""
    return {
        "versions": {name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "backend": keras.backend.backend(),
        "device": ", ".join(keras.distribution.list_devices()) or "cpu",
    }


def _undated(path: Path) -> bytes:
    """An archive of Keras without times and addresses: versions follow from the content alone."""
    content = BytesIO()
    with ZipFile(path) as dated, ZipFile(content, "w") as undated:
        for entry in dated.infolist():
            inside = dated.read(entry)
            if entry.filename in _PLAIN:
                inside = _PLAIN[entry.filename](inside.decode()).encode()
            undated.writestr(ZipInfo(entry.filename), inside, compress_type=entry.compress_type)
    return content.getvalue()


def _without_date(metadata: str) -> str:
    told = json.loads(metadata)
    return json.dumps({key: told[key] for key in told if key != "date_saved"})


def _without_addresses(config: str) -> str:
    """Objects that are shared are named by their place in memory; here by their first mention."""
    number: dict[str, int] = {}
    return _SHARED.sub(
        lambda found: f"{found[1]}{number.setdefault(found[2], len(number))}", config
    )


_SHARED: Final = re.compile(r'("shared_object_id": )(\d+)')
_PLAIN: Final[Mapping[str, Callable[[str], str]]] = {
    "metadata.json": _without_date,
    "config.json": _without_addresses,
}


def _unrolled(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Copy of a layer of operations that LiteRT has."""
    options: Mapping[str, Any] = layer.get_config()
    if isinstance(layer, LeastSquaresPooling):
        options = {**options, "unrolled": True}
    copy: keras.layers.Layer = type(layer).from_config(dict(options))
    return copy


def _summaries(network: keras.Model, features: np.ndarray) -> np.ndarray:
    pieces = [
        keras.ops.convert_to_numpy(network(features[k : k + _PIECE], training=False)[SUMMARY])
        for k in range(0, len(features), _PIECE)
    ]
    return np.concatenate(pieces)
