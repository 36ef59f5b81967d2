"""Forward passes of trained networks by LiteRT, without TensorFlow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import numpy as np

from levy_numerics.errors import InvalidInputError

_MANY: Final = 64
"""Surfaces in one pass when there are several; the last pass is padded."""
_FEWEST: Final = 48
"""Surfaces below which single passes are quicker than a padded one."""
_LEAST_POINTS: Final = 32
_SIGNATURE: Final = "serving_default"
_STDERR: Final = 2
_GREETING: Final = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."


@dataclass(frozen=True)
class Answers:
    """What a network says of n surfaces.

    Attributes
    ----------
    places : ndarray, shape (n, p)
        Of the parameters in the model's box, in [0, 1].
    log_deviations : ndarray, shape (n, p)
        Of their errors.
    summary : ndarray, shape (n, s)
        By which surfaces unlike those of training are known.
    """

    places: np.ndarray
    log_deviations: np.ndarray
    summary: np.ndarray


class Runtime:
    """A network, ready to answer; safe to share between threads.

    An interpreter is made for each shape of input and kept: points are padded to the next power of
    two, surfaces to one or to many.

    Parameters
    ----------
    content : bytes
        The network as a LiteRT flat buffer.

    Raises
    ------
    InvalidInputError
        It is none.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._passes: dict[tuple[int, ...], _Pass] = {}
        self._lock = Lock()
        _Pass(content, None)

    def __call__(self, features: np.ndarray) -> Answers:
        """ResponseModel features of shape (n, 200), or (n, any, 5)."""
        padded = _padded_points(features)
        if len(padded) == 1:
            return self._pass(padded.shape)(padded)
        if len(padded) < _FEWEST:
            parts = [self(padded[k : k + 1]) for k in range(len(padded))]
        else:
            parts = [self._many(padded[k : k + _MANY]) for k in range(0, len(padded), _MANY)]
        return Answers(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("places", "log_deviations", "summary")
            )
        )

    def _many(self, features: np.ndarray) -> Answers:
        n = len(features)
        filled = np.zeros((_MANY, *features.shape[1:]), dtype=np.float32)
        filled[:n] = features
        found = self._pass(filled.shape)(filled)
        return Answers(found.places[:n], found.log_deviations[:n], found.summary[:n])

    def _pass(self, shape: tuple[int, ...]) -> "_Pass":
        with self._lock:
            if shape not in self._passes:
                with _ungreeted():
                    self._passes[shape] = _Pass(self._content, shape)
            return self._passes[shape]


class _Pass:
    """One interpreter, for inputs of one shape."""

    def __init__(self, content: bytes, shape: tuple[int, ...] | None) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter: Any = Interpreter(model_content=content, num_threads=1)
            signature = self._interpreter.get_signature_list()[_SIGNATURE]
        except (ValueError, RuntimeError, KeyError) as error:
            raise InvalidInputError(f"this is no network that LiteRT can run: {error}") from None
        (self._input,) = signature["inputs"]
        self._run = self._interpreter.get_signature_runner(_SIGNATURE)
        self._lock = Lock()
        if shape is not None:
            self(np.zeros(shape, dtype=np.float32))

    def __call__(self, features: np.ndarray) -> Answers:
        with self._lock:
            return Answers(**self._run(**{self._input: features}))


def _padded_points(features: np.ndarray) -> np.ndarray:
    """Points up to a power of two: zeros have no weight."""
    if features.ndim == 2:
        return np.ascontiguousarray(features, dtype=np.float32)
    n, width, channels = features.shape
    wanted = max(_LEAST_POINTS, 1 << (width - 1).bit_length())
    padded = np.zeros((n, wanted, channels), dtype=np.float32)
    padded[:, :width] = features
    return padded


@contextmanager
def _ungreeted() -> Iterator[None]:
    """Keep LiteRT's greeting off standard error, where logs and problems are read.

    It says it once a process, from C++, and no setting stops it. Other lines pass.
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
        with os.fdopen(reading, "rb") as held:
            for line in held:
                if not line.startswith(_GREETING):
                    os.write(_STDERR, line)
