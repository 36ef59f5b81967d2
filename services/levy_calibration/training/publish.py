"""Train a network by a recipe and write it to a registry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from levy_calibration.drift import INPUTS, Reference, inputs
from levy_calibration.drift.reference import pack
from levy_calibration.networks.architecture import UNIT_PARAMETERS
from levy_calibration.networks.ensemble import Ensemble, assemble
from levy_calibration.registry.artifact import REFERENCE, Artifact
from levy_calibration.training import metrics
from levy_calibration.training.examples import Source, TrainingData, augmented, make_examples
from levy_calibration.training.export import files_of, provenance
from levy_calibration.training.recipe import Recipe
from levy_calibration.training.trainer import OnEpoch, TrainingRun, train
from levy_calibration.training.transfer import initial_network
from levy_numerics.errors import InvalidInputError
from levy_schemas.networks import Reads
from levy_surfaces.synthetic.datasets import folds, holdout

_N_EVALUATED: Final = 4096
_N_REPRICED: Final = 1024
_N_DETECTOR: Final = 16_384
"""Surfaces of the holdout on which parameters and prices are compared, and the
out-of-distribution detector is fitted."""
_N_REFERENCE: Final = 16_384
"""Surfaces, held out or not, from which the reference distribution is estimated."""


@dataclass(frozen=True)
class TrainingContext:
    """Folders of a training run.

    Attributes
    ----------
    data : Path
        Data sets.
    recipes : Path
        Recipes, one for each network; those in a folder with a model's name take precedence.
    runs : Path
        Checkpoints, in a folder for each model and network.
    registry : Path
        Artifacts.
    """

    data: Path
    recipes: Path
    runs: Path
    registry: Path

    def recipe(self, model: str, network: str) -> Recipe:
        """Return the recipe of a network, preferring one for the model.

        Raises
        ------
        InvalidInputError
            There is no recipe, or it is invalid.
        """
        general = self.recipes / f"{network}.yaml"
        for path in (self.recipes / model / general.name, general):
            if path.is_file():
                return Recipe.read(path)
        names = ", ".join(sorted(path.stem for path in self.recipes.glob("*.yaml")))
        raise InvalidInputError(f"{general} does not exist; available recipes: {names or 'none'}")

    def run_folder(self, model: str, network: str) -> Path:
        """Return the folder of a run's checkpoints."""
        return self.runs / f"{model}-{network}"


def publish(
    context: TrainingContext,
    model: str,
    recipe: Recipe,
    *,
    resume: bool = False,
    start: Artifact | None = None,
    strategy: Any = None,
    on_epoch: OnEpoch | None = None,
) -> tuple[Artifact, list[dict[str, float]]]:
    """Train a network, evaluate it on the holdout, and write its artifact.

    Parameters
    ----------
    context : TrainingContext
    model : str
    recipe : Recipe
        The members of an ensemble are trained by their own recipes.
    resume : bool
        Continue from checkpoints, if there are any.
    start : Artifact, optional
        Initial network, for fine-tuning or transfer from another model.
    strategy : tf.distribute.Strategy, optional
    on_epoch : callable, optional
        Called after each epoch.

    Returns
    -------
    artifact : Artifact
    history : list of dict
        Scores of each epoch; empty for an ensemble.
    """
    data = _training_data(context, model, recipe)
    if isinstance(ensemble := recipe.architecture(), Ensemble):
        if start is not None:
            raise InvalidInputError(
                "an ensemble cannot start from a network; train its members from it"
            )
        run = _ensemble(context, model, ensemble, data, resume, on_epoch)
        unseen = _common_holdout(
            data.sources[0], [context.recipe(model, name) for name in ensemble.members]
        )
    else:
        run = train(
            recipe,
            data,
            folder=context.run_folder(model, recipe.network),
            resume=resume and _has_checkpoint(context, model, recipe.network),
            start=initial_network(start, recipe, model) if start else None,
            strategy=strategy,
            on_epoch=on_epoch,
        )
        unseen = run.held[0]
    artifact = write_artifact(context.registry, model, recipe, run, data, unseen, start)
    return artifact, run.history


def write_artifact(
    root: Path,
    model: str,
    recipe: Recipe,
    run: TrainingRun,
    data: TrainingData,
    unseen: Source,
    start: Artifact | None,
) -> Artifact:
    """Evaluate a trained network on unseen surfaces of the standard grid, and write its artifact.

    Parameters
    ----------
    root : Path
        Registry.
    model : str
    recipe : Recipe
    run : TrainingRun
    data : TrainingData
    unseen : Source
        Exact surfaces that were not used in training.
    start : Artifact, optional
        Initial network.
    """
    return Artifact.write(
        root,
        {
            "model": model,
            "network": recipe.network,
            "reads": recipe.architecture().reads,
            "recipe": recipe.as_mapping(),
            "seed": recipe.seed,
            "started_from": start.version if start else None,
            "data_hash": data.data_hash,
            "n_weights": run.network.count_params(),
            "metrics": evaluate(run.network, unseen, data, recipe),
            **provenance(),
        },
        {
            **files_of(run.network, _detector_features(run.held, recipe)),
            REFERENCE: pack(reference_distribution(data, recipe)),
        },
    )


def reference_distribution(data: TrainingData, recipe: Recipe) -> Reference:
    """Return the distribution of parameters, and of inputs with noise and gaps as in training.

    Layouts have equal weights, as in the training of networks that read several.
    """
    reads, most = recipe.architecture().reads, _N_REFERENCE // len(data.sources)
    parts = [
        _quantities(source.select(np.arange(min(source.size, most))), data, reads, recipe.seed, k)
        for k, source in enumerate(data.sources)
    ]
    return Reference.of({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def cross_validate(
    context: TrainingContext,
    model: str,
    recipe: Recipe,
    n_folds: int,
    on_epoch: OnEpoch | None = None,
) -> list[dict[str, Any]]:
    """Return the metrics of networks, each trained without one fold, on that fold."""
    if isinstance(recipe.architecture(), Ensemble):
        raise InvalidInputError("an ensemble cannot be cross-validated; cross-validate its members")
    data = _training_data(context, model, recipe)
    results = []
    for k in range(n_folds):
        run = train(recipe, data, split=_fold(k, n_folds, recipe.seed), on_epoch=on_epoch)
        results.append(evaluate(run.network, run.held[0], data, recipe))
        keras.backend.clear_session()
    return results


def evaluate(
    network: keras.Model, held: Source, data: TrainingData, recipe: Recipe
) -> dict[str, Any]:
    """Return the metrics on exact surfaces of the holdout, on the standard grid."""
    sample = held.select(np.arange(min(held.size, _N_EVALUATED)))
    seen = make_examples(sample, recipe.architecture().reads, np.random.default_rng(0), exact=True)
    units = keras.ops.convert_to_numpy(network(seen.features, training=False)[UNIT_PARAMETERS])
    few = slice(min(len(units), _N_REPRICED))
    errors = metrics.parameter_errors(data.box.model(units), data.box.model(sample.targets))
    repriced = metrics.repricing_errors(data.box.model(units[few]), sample.surfaces.price[few])
    return {"n": len(units), "errors": metrics.as_mapping(errors), **repriced}


def _ensemble(
    context: TrainingContext,
    model: str,
    ensemble: Ensemble,
    data: TrainingData,
    resume: bool,
    on_epoch: OnEpoch | None,
) -> TrainingRun:
    """Train the members by their recipes and combine them."""
    runs = []
    for name in ensemble.members:
        recipe = context.recipe(model, name)
        folder = context.run_folder(model, name)
        resume_member = resume and _has_checkpoint(context, model, name)
        runs.append(train(recipe, data, folder=folder, resume=resume_member, on_epoch=on_epoch))
    return TrainingRun(assemble([run.network for run in runs]), runs[0].held, [])


def _common_holdout(source: Source, members: Sequence[Recipe]) -> Source:
    """Return the surfaces that all members hold out; their seeds, and so their holdouts, differ."""
    common = np.arange(source.size)
    for recipe in members:
        size = min(recipe.surfaces, source.size)
        common = np.intersect1d(common, holdout(size, recipe.holdout, seed=recipe.seed)[1])
    return source.select(common)


def _training_data(context: TrainingContext, model: str, recipe: Recipe) -> TrainingData:
    architecture = recipe.architecture()
    if isinstance(architecture, Ensemble):
        surfaces = max(context.recipe(model, name).surfaces for name in architecture.members)
        recipe = replace(recipe, surfaces=surfaces)
    return TrainingData.open(context.data, model, architecture.reads, most=recipe.surfaces)


def _has_checkpoint(context: TrainingContext, model: str, network: str) -> bool:
    return (context.run_folder(model, network) / "checkpoint.npz").is_file()


def _fold(number: int, n_folds: int, seed: int) -> Callable[[int, int], Any]:
    return lambda source, size: folds(size, n_folds, seed=seed + source)[number]


def _quantities(
    source: Source, data: TrainingData, reads: Reads, seed: int, layout: int
) -> dict[str, np.ndarray]:
    """Return inputs and parameters by name, shape (n,) each."""
    rng = np.random.default_rng([seed, 4, layout])
    values = inputs(augmented(source.surfaces, reads, rng))
    parameters = data.box.model(source.targets).as_mapping()
    return {
        **dict(zip(INPUTS, values.T, strict=True)),
        **{name: np.asarray(value) for name, value in parameters.items()},
    }


def _detector_features(held: Sequence[Source], recipe: Recipe) -> list[np.ndarray]:
    """Return features of the holdout with noise and gaps, as in training."""
    reads, most = recipe.architecture().reads, _N_DETECTOR // len(held)
    return [
        make_examples(
            source.select(np.arange(min(source.size, most))),
            reads,
            np.random.default_rng([recipe.seed, 3, k]),
        ).features
        for k, source in enumerate(held)
    ]
