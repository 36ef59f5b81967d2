"""Forward passes of trained networks by LiteRT, without TensorFlow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import numpy as np

from levy_numerics.errors import InvalidInputError

_BATCH: Final = 64
"""Surfaces in one pass; the last pass is padded."""
_MIN_BATCH: Final = 48
"""Number of surfaces below which single passes are faster than a padded one."""
_MIN_POINTS: Final = 32
_SIGNATURE: Final = "serving_default"
_STDERR: Final = 2
_BANNER: Final = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."


@dataclass(frozen=True)
class NetworkOutput:
    """Output of a network for n surfaces.

    Attributes
    ----------
    unit_parameters : ndarray, shape (n, p)
        Positions of the parameters in the model's box, in [0, 1].
    log_deviations : ndarray, shape (n, p)
        Logarithms of their predicted standard errors.
    summary : ndarray, shape (n, s)
        Input of the out-of-distribution detector.
    """

    unit_parameters: np.ndarray
    log_deviations: np.ndarray
    summary: np.ndarray


class Runtime:
    """A loaded network; safe to share between threads.

    Each input shape has its interpreter, created at first use. To limit their number, points are
    padded to a power of two, and surfaces are passed singly or in batches of one size.

    Parameters
    ----------
    content : bytes
        The network as a LiteRT flat buffer.

    Raises
    ------
    InvalidInputError
        The content is not a network that LiteRT can run.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._passes: dict[tuple[int, ...], _Pass] = {}
        self._lock = Lock()
        _Pass(content, None)

    def __call__(self, features: np.ndarray) -> NetworkOutput:
        """Return the output for features of shape (n, 200) or (n, any, 5)."""
        padded = _padded_points(features)
        if len(padded) == 1:
            return self._pass(padded.shape)(padded)
        if len(padded) < _MIN_BATCH:
            parts = [self(padded[k : k + 1]) for k in range(len(padded))]
        else:
            parts = [self._batch(padded[k : k + _BATCH]) for k in range(0, len(padded), _BATCH)]
        return NetworkOutput(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("unit_parameters", "log_deviations", "summary")
            )
        )

    def _batch(self, features: np.ndarray) -> NetworkOutput:
        n = len(features)
        filled = np.zeros((_BATCH, *features.shape[1:]), dtype=np.float32)
        filled[:n] = features
        output = self._pass(filled.shape)(filled)
        return NetworkOutput(
            output.unit_parameters[:n], output.log_deviations[:n], output.summary[:n]
        )

    def _pass(self, shape: tuple[int, ...]) -> "_Pass":
        with self._lock:
            if shape not in self._passes:
                with _banner_suppressed():
                    self._passes[shape] = _Pass(self._content, shape)
            return self._passes[shape]


class _Pass:
    """An interpreter for inputs of one shape."""

    def __init__(self, content: bytes, shape: tuple[int, ...] | None) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter: Any = Interpreter(model_content=content, num_threads=1)
            signature = self._interpreter.get_signature_list()[_SIGNATURE]
        except (ValueError, RuntimeError, KeyError) as error:
            raise InvalidInputError(
                f"the file is not a network that LiteRT can run: {error}"
            ) from None
        (self._input,) = signature["inputs"]
        self._run = self._interpreter.get_signature_runner(_SIGNATURE)
        self._lock = Lock()
        if shape is not None:
            self(np.zeros(shape, dtype=np.float32))

    def __call__(self, features: np.ndarray) -> NetworkOutput:
        with self._lock:
            output = self._run(**{self._input: features})
            # "places" is the name in the stored networks.
            return NetworkOutput(output["places"], output["log_deviations"], output["summary"])


def _padded_points(features: np.ndarray) -> np.ndarray:
    """Pad points with zeros, which have no weight, to a power of two."""
    if features.ndim == 2:
        return np.ascontiguousarray(features, dtype=np.float32)
    n, width, channels = features.shape
    length = max(_MIN_POINTS, 1 << (width - 1).bit_length())
    padded = np.zeros((n, length, channels), dtype=np.float32)
    padded[:, :width] = features
    return padded


@contextmanager
def _banner_suppressed() -> Iterator[None]:
    """Remove LiteRT's banner from standard error, which carries the logs.

    LiteRT prints it once per process, from C++, and no setting prevents that. Other lines pass.
    """
    reading, writing = os.pipe()
    kept = os.dup(_STDERR)
    os.dup2(writing, _STDERR)
    os.close(writing)
    try:
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        with os.fdopen(reading, "rb") as lines:
            for line in lines:
                if not line.startswith(_BANNER):
                    os.write(_STDERR, line)
