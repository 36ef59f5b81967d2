"""Convert a trained network to the files of an artifact."""

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
from levy_calibration.networks.out_of_distribution import OutOfDistributionDetector
from levy_calibration.registry.artifact import DETECTOR, SERVED, TRAINABLE, pack

_PACKAGES: Final = ("levy-calibration-engine", "keras", "numpy", "tensorflow", "ai-edge-litert")
_PIECE: Final = 2048


def files_of(network: keras.Model, features: Sequence[np.ndarray]) -> dict[str, bytes]:
    """Return the content of an artifact's files.

    Parameters
    ----------
    network : keras.Model
    features : sequence of ndarray
        Features of surfaces with noise and gaps, on which the out-of-distribution detector is
        fitted.
    """
    summaries = np.concatenate([_summaries(network, values) for values in features])
    return {
        SERVED: served(network),
        TRAINABLE: trainable(network),
        DETECTOR: pack(OutOfDistributionDetector.fit(summaries)),
    }


def served(network: keras.Model) -> bytes:
    """Return the network as a LiteRT flat buffer, for any number of surfaces and points."""
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
    """Return the network in Keras' format for further training, as reproducible bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, TRAINABLE)
        network.save(path)
        return _undated(path)


def load_trainable(path: Path) -> keras.Model:
    """Load a network written by `trainable`, without running code in the file."""
    loaded: keras.Model = keras.saving.load_model(path, compile=False, safe_mode=True)
    return loaded


def provenance() -> dict[str, Any]:
    """Return versions, backend and device, for the manifest of a network."""
    return {
        "versions": {name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "backend": keras.backend.backend(),
        "device": ", ".join(keras.distribution.list_devices()) or "cpu",
    }


def _undated(path: Path) -> bytes:
    """Return an archive of Keras without times and addresses, so that equal networks are equal."""
    content = BytesIO()
    with ZipFile(path) as dated, ZipFile(content, "w") as undated:
        for entry in dated.infolist():
            data = dated.read(entry)
            if entry.filename in _NORMALISED:
                data = _NORMALISED[entry.filename](data.decode()).encode()
            undated.writestr(ZipInfo(entry.filename), data, compress_type=entry.compress_type)
    return content.getvalue()


def _without_date(metadata: str) -> str:
    content = json.loads(metadata)
    return json.dumps({key: content[key] for key in content if key != "date_saved"})


def _without_addresses(config: str) -> str:
    """Number shared objects by their first occurrence instead of their memory address."""
    number: dict[str, int] = {}
    return _SHARED.sub(
        lambda match: f"{match[1]}{number.setdefault(match[2], len(number))}", config
    )


_SHARED: Final = re.compile(r'("shared_object_id": )(\d+)')
_NORMALISED: Final[Mapping[str, Callable[[str], str]]] = {
    "metadata.json": _without_date,
    "config.json": _without_addresses,
}


def _unrolled(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Return a copy of a layer that uses only operations of LiteRT."""
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
