"""One training run, from surfaces to a network, reproducible by its seed."""

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

from levy_calibration.networks.architecture import LOG_DEVIATIONS, PLACES, Reads
from levy_calibration.training.checkpoint import Progress
from levy_calibration.training.examples import Shown, Source, TrainingData, batches, shown
from levy_calibration.training.loss import loss_of, score_of
from levy_calibration.training.recipe import Recipe
from levy_surfaces.synthetic.datasets import holdout
from levy_surfaces.synthetic.scaling import StandardScaler

Told = Callable[[int, int, dict[str, float]], None]
"""Told (epochs done, in all, what the last one was like)."""
Split = Callable[[int, int], tuple[np.ndarray, np.ndarray]]
"""From (source, size) to indices that are trained on, and held out."""

_MOST_HELD: Final = 4096
"""Surfaces of a source whose loss is watched."""
_STEPS_AT_ONCE: Final = 8
"""Steps in one call of TensorFlow; of batches that devices share, it can take but one."""
_CLIPPED_NORM: Final = 1.0
_EXPONENTIAL_END: Final = 0.01


class Strategy(Protocol):
    """Of `tf.distribute`."""

    @property
    def num_replicas_in_sync(self) -> int:
        """Copies of the network, among which each batch is divided evenly."""

    def scope(self) -> AbstractContextManager[Any]:
        """Variables made inside are copied to every device."""


@dataclass(frozen=True)
class TrainingRun:
    """What came out.

    Attributes
    ----------
    network : keras.Model
        With its best weights.
    held : tuple of Source
        Exact surfaces that were not trained on.
    history : list of dict
        Epoch by epoch.
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
    told: Told | None = None,
) -> TrainingRun:
    """Train a network.

    Parameters
    ----------
    recipe : Recipe
    data : TrainingData
    folder : Path, optional
        Where checkpoints go; none are written by default.
    resume : bool
        Go on from the checkpoint in `folder`, to the weights of a run without interruption.
    start : keras.Model, optional
        To begin from, instead of fresh weights.
    split : callable, optional
        What is held out; by default the recipe's share, drawn by its seed.
    strategy : tf.distribute.Strategy, optional
        Devices or hosts to share each batch.
    stop_after : int, optional
        Epochs after which to leave, as an interruption would.
    told : callable, optional
        Told how far it is.
    """
    reads = recipe.architecture().reads
    trained, held = _divided(data, split or _by_share(recipe))
    with strategy.scope() if strategy else nullcontext():
        drawn = _drawn(trained, reads, recipe, 0)
        network = start or recipe.architecture().build(
            len(data.box.axes), StandardScaler.fit(drawn[0].features), recipe.seed
        )
        learner = _learner(network, recipe, drawn, 1 if strategy else _STEPS_AT_ONCE)
    fingerprint = _fingerprint(recipe, data)
    progress = Progress.read(folder, learner, fingerprint) if folder and resume else Progress()
    replicas = strategy.num_replicas_in_sync if strategy else 1
    watched = [_divisible(one, replicas) for one in _watched(held, reads, recipe)]
    last = recipe.epochs if stop_after is None else min(stop_after, recipe.epochs)
    current = 0
    for epoch in range(len(progress.history), last):
        if progress.since_best >= recipe.patience:
            break
        if (wanted := epoch * recipe.rounds // recipe.epochs) != current:
            drawn, current = _drawn(trained, reads, recipe, wanted), wanted
        progress.add(_epoch(learner, drawn, watched, recipe, epoch, replicas), learner)
        if folder:
            progress.write(folder, learner, fingerprint)
        if told:
            told(epoch + 1, recipe.epochs, progress.history[-1])
    if last == recipe.epochs and progress.best_weights:
        learner.set_weights(progress.best_weights)
    return TrainingRun(network, held, progress.history)


def _epoch(
    learner: keras.Model,
    drawn: Sequence[Shown],
    watched: Sequence[Shown],
    recipe: Recipe,
    epoch: int,
    replicas: int,
) -> dict[str, float]:
    """Pass over the surfaces once, and tell how it went."""
    began = time.perf_counter()
    order = np.random.default_rng([recipe.seed, 2, epoch])
    fed = _feed(lambda: batches(drawn, recipe.batch_size, order, replicas), drawn[0])
    steps = _steps(drawn, recipe.batch_size)
    score = learner.fit(fed, steps_per_epoch=steps, shuffle=False, verbose=0).history["score"][-1]
    weights = [len(one.targets) for one in watched]
    at_once = recipe.batch_size // replicas * replicas or replicas
    scores = [_score(learner, one, at_once) for one in watched]
    return {
        "score": float(score),
        "holdout_score": float(np.average(scores, weights=weights)),
        "learning_rate": float(learner.optimizer.learning_rate),
        "seconds": time.perf_counter() - began,
    }


def _divisible(watched: Shown, replicas: int) -> Shown:
    """All but the last few, so that every replica has as many: Keras averages over them."""
    n = len(watched.targets) // replicas * replicas
    return Shown(watched.features[:n], watched.targets[:n])


def _score(learner: keras.Model, watched: Shown, size: int) -> float:
    """What early stopping looks at."""
    found = learner.evaluate(
        watched.features, watched.targets, batch_size=size, verbose=0, return_dict=True
    )
    return float(found["score"])


def _learner(
    network: keras.Model, recipe: Recipe, drawn: Sequence[Shown], at_once: int
) -> keras.Model:
    """The network with its answers side by side, loss and optimiser."""
    joined = keras.layers.Concatenate(name="answers")(
        [network.output[PLACES], network.output[LOG_DEVIATIONS]]
    )
    learner = keras.Model(network.input, joined, name="learner")
    optimizer = keras.optimizers.Adam(
        _schedule(recipe, recipe.epochs * _steps(drawn, recipe.batch_size)),
        global_clipnorm=_CLIPPED_NORM,
    )
    n_targets = network.output[PLACES].shape[-1]
    learner.compile(
        optimizer,
        loss=loss_of(recipe.loss, n_targets),
        metrics=[keras.metrics.MeanMetricWrapper(score_of(recipe.loss, n_targets), name="score")],
        steps_per_execution=at_once,
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


def _steps(drawn: Sequence[Shown], batch_size: int) -> int:
    return sum(max(1, len(one.targets) // batch_size) for one in drawn)


def _by_share(recipe: Recipe) -> Split:
    return lambda source, size: holdout(size, recipe.holdout, seed=recipe.seed + source)


def _divided(data: TrainingData, split: Split) -> tuple[tuple[Source, ...], tuple[Source, ...]]:
    pieces = [(one, split(k, one.size)) for k, one in enumerate(data.sources)]
    return (
        tuple(one.select(trained) for one, (trained, _) in pieces),
        tuple(one.select(held) for one, (_, held) in pieces),
    )


def _drawn(sources: Sequence[Source], reads: Reads, recipe: Recipe, number: int) -> list[Shown]:
    """Features of one round of noise."""
    return [
        shown(one, reads, np.random.default_rng([recipe.seed, 0, number, k]))
        for k, one in enumerate(sources)
    ]


def _watched(held: Sequence[Source], reads: Reads, recipe: Recipe) -> list[Shown]:
    """Some of the holdout, with noise that stays."""
    return [
        shown(
            one.select(np.arange(min(one.size, _MOST_HELD))),
            reads,
            np.random.default_rng([recipe.seed, 1, k]),
        )
        for k, one in enumerate(held)
    ]


def _fingerprint(recipe: Recipe, data: TrainingData) -> str:
    told = json.dumps([recipe.as_mapping(), data.data_hash], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _feed(drawing: Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]], like: Shown) -> Any:
    """Batches as the backend likes them; those of points differ in length."""
    if keras.backend.backend() != "tensorflow":
        return drawing()
    import tensorflow as tf

    free = [None] * (like.features.ndim - 1)
    signature = (
        tf.TensorSpec([*free, like.features.shape[-1]], tf.float32),
        tf.TensorSpec([None, like.targets.shape[-1]], tf.float32),
    )
    made = tf.data.Dataset.from_generator(drawing, output_signature=signature)
    return made.prefetch(4)
