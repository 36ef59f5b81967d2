"""Distributed training by `tf.distribute`."""

from typing import Any, Final, Literal

import keras

from levy_numerics.errors import UnsupportedError

Strategy = Literal["none", "mirrored", "multi_worker"]
STRATEGIES: Final[tuple[Strategy, ...]] = ("none", "mirrored", "multi_worker")


def strategy_of(name: Strategy) -> Any:
    """Return a distribution strategy, or None.

    `mirrored` copies the network to every device of this host and sums gradients;
    `multi_worker` does so across the hosts in the environment variable TF_CONFIG.

    Raises
    ------
    UnsupportedError
        The backend of Keras is not TensorFlow.
    """
    if name == "none":
        return None
    if keras.backend.backend() != "tensorflow":
        raise UnsupportedError(f"strategy {name} requires KERAS_BACKEND=tensorflow")
    import tensorflow as tf

    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])
