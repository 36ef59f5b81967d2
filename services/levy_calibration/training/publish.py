"""From a recipe and data sets to an artifact in a registry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from levy_calibration.drift import INPUTS, Reference, inputs
from levy_calibration.drift.reference import pack
from levy_calibration.networks.architecture import PLACES, Reads
from levy_calibration.networks.ensemble import Ensemble, assemble
from levy_calibration.registry.artifact import REFERENCE, Artifact
from levy_calibration.training import metrics
from levy_calibration.training.examples import Source, TrainingData, as_seen, shown
from levy_calibration.training.export import files_of, provenance
from levy_calibration.training.recipe import Recipe
from levy_calibration.training.trainer import Told, TrainingRun, train
from levy_calibration.training.transfer import start_from
from levy_numerics.errors import InvalidInputError
from levy_surfaces.synthetic.datasets import folds, holdout

_JUDGED: Final = 4096
_REPRICED: Final = 1024
_KNOWN: Final = 16_384
"""Held-out surfaces on which parameters are compared, prices too, and novelty is learned."""
_COUNTED: Final = 16_384
"""Surfaces, held out or not, from which the distribution of training is learned."""


@dataclass(frozen=True)
class Workshop:
    """Where training finds and leaves things.

    Attributes
    ----------
    data : Path
        Folder of data sets.
    recipes : Path
        Folder of recipes, one for each network; those for one model alone are in a folder of its
        name, and go first.
    runs : Path
        Where checkpoints go, a folder for each model and network.
    registry : Path
        Where artifacts go.
    """

    data: Path
    recipes: Path
    runs: Path
    registry: Path

    def recipe(self, model: str, network: str) -> Recipe:
        """Return the recipe of a network: that for the model, if there is one.

        Raises
        ------
        InvalidInputError
            There is none at all, or it is no recipe.
        """
        general = self.recipes / f"{network}.yaml"
        for path in (self.recipes / model / general.name, general):
            if path.is_file():
                return Recipe.read(path)
        known = ", ".join(sorted(each.stem for each in self.recipes.glob("*.yaml")))
        raise InvalidInputError(f"{general} is not there; recipes are {known or 'none'}")

    def run_folder(self, model: str, network: str) -> Path:
        """Folder of a run's checkpoints."""
        return self.runs / f"{model}-{network}"


def publish(
    shop: Workshop,
    model: str,
    recipe: Recipe,
    *,
    resume: bool = False,
    start: Artifact | None = None,
    strategy: Any = None,
    told: Told | None = None,
) -> tuple[Artifact, list[dict[str, float]]]:
    """Train a network, judge it on the holdout, and write its artifact.

    Parameters
    ----------
    shop : Workshop
    model : str
    recipe : Recipe
        That of an ensemble trains its members by their own recipes, or takes up their runs.
    resume : bool
        Go on from checkpoints, where there are some.
    start : Artifact, optional
        To begin from: fine-tuning, or transfer from another model.
    strategy : tf.distribute.Strategy, optional
    told : callable, optional
        Told how far it is.

    Returns
    -------
    artifact : Artifact
    history : list of dict
        Epoch by epoch; empty for an ensemble.
    """
    data = _data_of(shop, model, recipe)
    if isinstance(ensemble := recipe.architecture(), Ensemble):
        if start is not None:
            raise InvalidInputError("an ensemble begins from its members; train those")
        run = _ensemble(shop, model, ensemble, data, resume, told)
        unseen = _seen_by_none(
            data.sources[0], [shop.recipe(model, name) for name in ensemble.members]
        )
    else:
        run = train(
            recipe,
            data,
            folder=shop.run_folder(model, recipe.network),
            resume=resume and _is_begun(shop, model, recipe.network),
            start=start_from(start, recipe, model) if start else None,
            strategy=strategy,
            told=told,
        )
        unseen = run.held[0]
    artifact = Artifact.write(
        shop.registry,
        {
            "model": model,
            "network": recipe.network,
            "reads": recipe.architecture().reads,
            "recipe": recipe.as_mapping(),
            "seed": recipe.seed,
            "started_from": start.version if start else None,
            "data_hash": data.data_hash,
            "n_weights": run.network.count_params(),
            "metrics": judged(run.network, unseen, data, recipe),
            **provenance(),
        },
        {
            **files_of(run.network, _familiar(run.held, recipe)),
            REFERENCE: pack(reference_of(data, recipe)),
        },
    )
    return artifact, run.history


def reference_of(data: TrainingData, recipe: Recipe) -> Reference:
    """Distribution of inputs, with noise and gaps as in training, and of parameters.

    Every layout counts as much, as in the training of networks that read several.
    """
    reads, most = recipe.architecture().reads, _COUNTED // len(data.sources)
    parts = [
        _described(one.select(np.arange(min(one.size, most))), data, reads, recipe.seed, k)
        for k, one in enumerate(data.sources)
    ]
    return Reference.of({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def cross_validated(
    shop: Workshop, model: str, recipe: Recipe, n_folds: int, told: Told | None = None
) -> list[dict[str, Any]]:
    """Metrics of networks each trained without one fold, on that fold."""
    if isinstance(recipe.architecture(), Ensemble):
        raise InvalidInputError("an ensemble is judged by its members; cross-validate those")
    data = _data_of(shop, model, recipe)
    found = []
    for k in range(n_folds):
        run = train(recipe, data, split=_fold(k, n_folds, recipe.seed), told=told)
        found.append(judged(run.network, run.held[0], data, recipe))
        keras.backend.clear_session()
    return found


def judged(
    network: keras.Model, held: Source, data: TrainingData, recipe: Recipe
) -> dict[str, Any]:
    """Metrics on exact surfaces that were not trained on, on the standard grid."""
    some = held.select(np.arange(min(held.size, _JUDGED)))
    seen = shown(some, recipe.architecture().reads, np.random.default_rng(0), exact=True)
    places = keras.ops.convert_to_numpy(network(seen.features, training=False)[PLACES])
    few = slice(min(len(places), _REPRICED))
    errors = metrics.parameter_errors(data.box.model(places), data.box.model(some.targets))
    repriced = metrics.repricing_errors(data.box.model(places[few]), some.surfaces.price[few])
    return {"n": len(places), "errors": metrics.as_mapping(errors), **repriced}


def _ensemble(
    shop: Workshop,
    model: str,
    ensemble: Ensemble,
    data: TrainingData,
    resume: bool,
    told: Told | None,
) -> TrainingRun:
    """Members by their recipes, then one network of them."""
    runs = []
    for name in ensemble.members:
        recipe = shop.recipe(model, name)
        folder = shop.run_folder(model, name)
        taken_up = resume and _is_begun(shop, model, name)
        runs.append(train(recipe, data, folder=folder, resume=taken_up, told=told))
    return TrainingRun(assemble([run.network for run in runs]), runs[0].held, [])


def _seen_by_none(source: Source, members: Sequence[Recipe]) -> Source:
    """Surfaces that every member has held out: seeds differ, and so do holdouts."""
    common = np.arange(source.size)
    for recipe in members:
        size = min(recipe.surfaces, source.size)
        common = np.intersect1d(common, holdout(size, recipe.holdout, seed=recipe.seed)[1])
    return source.select(common)


def _data_of(shop: Workshop, model: str, recipe: Recipe) -> TrainingData:
    architecture = recipe.architecture()
    if isinstance(architecture, Ensemble):
        surfaces = max(shop.recipe(model, name).surfaces for name in architecture.members)
        recipe = replace(recipe, surfaces=surfaces)
    return TrainingData.open(shop.data, model, architecture.reads, most=recipe.surfaces)


def _is_begun(shop: Workshop, model: str, network: str) -> bool:
    return (shop.run_folder(model, network) / "checkpoint.npz").is_file()


def _fold(number: int, n_folds: int, seed: int) -> Callable[[int, int], Any]:
    return lambda source, size: folds(size, n_folds, seed=seed + source)[number]


def _described(
    source: Source, data: TrainingData, reads: Reads, seed: int, layout: int
) -> dict[str, np.ndarray]:
    """Inputs and parameters by name, shape (n,) each."""
    rng = np.random.default_rng([seed, 4, layout])
    found = inputs(as_seen(source.surfaces, reads, rng))
    parameters = data.box.model(source.targets).as_mapping()
    return {
        **dict(zip(INPUTS, found.T, strict=True)),
        **{name: np.asarray(value) for name, value in parameters.items()},
    }


def _familiar(held: Sequence[Source], recipe: Recipe) -> list[np.ndarray]:
    """Features of held-out surfaces with noise and gaps, as in training."""
    reads, most = recipe.architecture().reads, _KNOWN // len(held)
    return [
        shown(
            one.select(np.arange(min(one.size, most))),
            reads,
            np.random.default_rng([recipe.seed, 3, k]),
        ).features
        for k, one in enumerate(held)
    ]
