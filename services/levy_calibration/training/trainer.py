"""Train a network, reproducibly by its seed."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import keras
import numpy as np

from levy_calibration.networks.architecture import LOG_DEVIATIONS, UNIT_PARAMETERS
from levy_calibration.training.checkpoint import Progress
from levy_calibration.training.examples import (
    Examples,
    Source,
    TrainingData,
    batches,
    make_examples,
)
from levy_calibration.training.loss import loss_of, score_of
from levy_calibration.training.recipe import Recipe
from levy_schemas.networks import Reads
from levy_surfaces.synthetic.datasets import holdout
from levy_surfaces.synthetic.scaling import StandardScaler

OnEpoch = Callable[[int, int, dict[str, float]], None]
"""Called with the epochs done, their total and the scores of the last one."""
Split = Callable[[int, int], tuple[np.ndarray, np.ndarray]]
"""Maps (source, size) to the indices of training and holdout."""

_MAX_HOLDOUT: Final = 4096
"""Surfaces of a source on which the holdout score is computed."""
_STEPS_PER_CALL: Final = 8
"""Steps in one call of TensorFlow; with a distribution strategy it supports only one."""
_CLIPPED_NORM: Final = 1.0
_EXPONENTIAL_END: Final = 0.01


class Strategy(Protocol):
    """A strategy of `tf.distribute`."""

    @property
    def num_replicas_in_sync(self) -> int:
        """Number of replicas, among which each batch is divided evenly."""

    def scope(self) -> AbstractContextManager[Any]:
        """Return the scope whose variables are copied to every device."""


@dataclass(frozen=True)
class TrainingRun:
    """Result of a training run.

    Attributes
    ----------
    network : keras.Model
        The network with its best weights.
    held : tuple of Source
        Exact surfaces of the holdout.
    history : list of dict
        Scores of each epoch.
    """

    network: keras.Model
    held: tuple[Source, ...]
    history: list[dict[str, float]]


def train(
    recipe: Recipe,
    data: TrainingData,
    *,
    folder: Path | None = None,
    resume: bool = False,
    start: keras.Model | None = None,
    split: Split | None = None,
    strategy: Strategy | None = None,
    stop_after: int | None = None,
    on_epoch: OnEpoch | None = None,
) -> TrainingRun:
    """Train a network.

    Parameters
    ----------
    recipe : Recipe
    data : TrainingData
    folder : Path, optional
        Folder of checkpoints; none are written if absent.
    resume : bool
        Continue from the checkpoint in `folder`; the weights become those of an uninterrupted run.
    start : keras.Model, optional
        Initial network; fresh weights if absent.
    split : callable, optional
        Holdout; by default the recipe's fraction, drawn by its seed.
    strategy : tf.distribute.Strategy, optional
        Distributes each batch over devices or hosts.
    stop_after : int, optional
        Number of epochs after which to stop, as if interrupted.
    on_epoch : callable, optional
        Called after each epoch.
    """
    reads = recipe.architecture().reads
    trained, held = _split(data, split or _random_split(recipe))
    with strategy.scope() if strategy else nullcontext():
        drawn = _drawn(trained, reads, recipe, 0)
        network = start or recipe.architecture().build(
            len(data.box.axes), StandardScaler.fit(drawn[0].features), recipe.seed
        )
        learner = _learner(network, recipe, drawn, 1 if strategy else _STEPS_PER_CALL)
    fingerprint = _fingerprint(recipe, data)
    progress = Progress.read(folder, learner, fingerprint) if folder and resume else Progress()
    replicas = strategy.num_replicas_in_sync if strategy else 1
    held_examples = [_divisible(data, replicas) for data in _holdout_examples(held, reads, recipe)]
    last = recipe.epochs if stop_after is None else min(stop_after, recipe.epochs)
    current = 0
    for epoch in range(len(progress.history), last):
        if progress.since_best >= recipe.patience:
            break
        if (number := epoch * recipe.rounds // recipe.epochs) != current:
            drawn, current = _drawn(trained, reads, recipe, number), number
        progress.add(_epoch(learner, drawn, held_examples, recipe, epoch, replicas), learner)
        if folder:
            progress.write(folder, learner, fingerprint)
        if on_epoch:
            on_epoch(epoch + 1, recipe.epochs, progress.history[-1])
    if last == recipe.epochs and progress.best_weights:
        learner.set_weights(progress.best_weights)
    return TrainingRun(network, held, progress.history)


def _epoch(
    learner: keras.Model,
    drawn: Sequence[Examples],
    held_examples: Sequence[Examples],
    recipe: Recipe,
    epoch: int,
    replicas: int,
) -> dict[str, float]:
    """Train one epoch and return its scores."""
    started = time.perf_counter()
    order = np.random.default_rng([recipe.seed, 2, epoch])
    dataset = _dataset(lambda: batches(drawn, recipe.batch_size, order, replicas), drawn[0])
    steps = _steps(drawn, recipe.batch_size)
    score = learner.fit(dataset, steps_per_epoch=steps, shuffle=False, verbose=0).history["score"][
        -1
    ]
    weights = [len(examples.targets) for examples in held_examples]
    batch_size = recipe.batch_size // replicas * replicas or replicas
    scores = [_score(learner, examples, batch_size) for examples in held_examples]
    return {
        "score": float(score),
        "holdout_score": float(np.average(scores, weights=weights)),
        "learning_rate": float(learner.optimizer.learning_rate),
        "seconds": time.perf_counter() - started,
    }


def _divisible(held_examples: Examples, replicas: int) -> Examples:
    """Return examples of which every replica has as many, since Keras averages over replicas."""
    n = len(held_examples.targets) // replicas * replicas
    return Examples(held_examples.features[:n], held_examples.targets[:n])


def _score(learner: keras.Model, held_examples: Examples, size: int) -> float:
    """Return the score that early stopping compares."""
    scores = learner.evaluate(
        held_examples.features, held_examples.targets, batch_size=size, verbose=0, return_dict=True
    )
    return float(scores["score"])


def _learner(
    network: keras.Model, recipe: Recipe, drawn: Sequence[Examples], steps_per_call: int
) -> keras.Model:
    """Return the compiled network, with its two outputs concatenated."""
    joined = keras.layers.Concatenate(name="answers")(
        [network.output[UNIT_PARAMETERS], network.output[LOG_DEVIATIONS]]
    )
    learner = keras.Model(network.input, joined, name="learner")
    optimizer = keras.optimizers.Adam(
        _schedule(recipe, recipe.epochs * _steps(drawn, recipe.batch_size)),
        global_clipnorm=_CLIPPED_NORM,
    )
    n_targets = network.output[UNIT_PARAMETERS].shape[-1]
    learner.compile(
        optimizer,
        loss=loss_of(recipe.loss, n_targets),
        metrics=[keras.metrics.MeanMetricWrapper(score_of(recipe.loss, n_targets), name="score")],
        steps_per_execution=steps_per_call,
        jit_compile="auto" if keras.backend.backend() == "jax" else False,
    )
    optimizer.build(learner.trainable_variables)
    return learner


def _schedule(recipe: Recipe, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    warmup = min(recipe.warmup_steps, steps // 10)
    if recipe.schedule == "exponential":
        return keras.optimizers.schedules.ExponentialDecay(
            recipe.learning_rate, steps, _EXPONENTIAL_END
        )
    return keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else recipe.learning_rate,
        steps - warmup,
        warmup_target=recipe.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def _steps(drawn: Sequence[Examples], batch_size: int) -> int:
    return sum(max(1, len(examples.targets) // batch_size) for examples in drawn)


def _random_split(recipe: Recipe) -> Split:
    return lambda source, size: holdout(size, recipe.holdout, seed=recipe.seed + source)


def _split(data: TrainingData, split: Split) -> tuple[tuple[Source, ...], tuple[Source, ...]]:
    pieces = [(source, split(k, source.size)) for k, source in enumerate(data.sources)]
    return (
        tuple(source.select(trained) for source, (trained, _) in pieces),
        tuple(source.select(held) for source, (_, held) in pieces),
    )


def _drawn(sources: Sequence[Source], reads: Reads, recipe: Recipe, number: int) -> list[Examples]:
    """Return the examples of one round of noise."""
    return [
        make_examples(source, reads, np.random.default_rng([recipe.seed, 0, number, k]))
        for k, source in enumerate(sources)
    ]


def _holdout_examples(held: Sequence[Source], reads: Reads, recipe: Recipe) -> list[Examples]:
    """Return examples of the holdout with fixed noise."""
    return [
        make_examples(
            source.select(np.arange(min(source.size, _MAX_HOLDOUT))),
            reads,
            np.random.default_rng([recipe.seed, 1, k]),
        )
        for k, source in enumerate(held)
    ]


def _fingerprint(recipe: Recipe, data: TrainingData) -> str:
    content = json.dumps([recipe.as_mapping(), data.data_hash], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _dataset(drawing: Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]], like: Examples) -> Any:
    """Return batches in the form that the backend expects; those of points differ in length."""
    if keras.backend.backend() != "tensorflow":
        return drawing()
    import tensorflow as tf

    free = [None] * (like.features.ndim - 1)
    signature = (
        tf.TensorSpec([*free, like.features.shape[-1]], tf.float32),
        tf.TensorSpec([None, like.targets.shape[-1]], tf.float32),
    )
    dataset = tf.data.Dataset.from_generator(drawing, output_signature=signature)
    return dataset.prefetch(4)
