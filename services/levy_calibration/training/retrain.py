"""Train a network further on logged surfaces, whose fitted parameters are the targets."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from levy_calibration.registry.artifact import Artifact
from levy_calibration.training.examples import LAYOUTS_READ, Source, TrainingData
from levy_calibration.training.publish import write_artifact
from levy_calibration.training.recipe import Recipe
from levy_calibration.training.trainer import OnEpoch, train
from levy_calibration.training.transfer import initial_network
from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_surfaces.synthetic import generation
from levy_surfaces.synthetic.manifest import MANIFEST
from levy_surfaces.synthetic.manifest import Plan as DataPlan
from levy_surfaces.synthetic.priced import PricedSurfaces
from levy_surfaces.synthetic.ranges import Box

_FEWEST: Final = 10


@dataclass(frozen=True)
class Plan:
    """Size of a retraining.

    Attributes
    ----------
    epochs : int
    rehearsal : int
        Synthetic surfaces of each layout, from the whole training range, without which a network
        forgets what the log does not contain.
    learning_rate : float
        Maximum; a hundredth of that of a first training, since the network has converged before.
    seed : int
        Of weights, holdout, noise and order.
    """

    epochs: int = 6
    rehearsal: int = 8_192
    learning_rate: float = 2e-5
    seed: int = 1


@dataclass(frozen=True)
class Retrained:
    """A network that was trained further.

    Attributes
    ----------
    artifact : Artifact
    n_logged : int
        Logged surfaces in training and holdout.
    n_outside : int
        Logged surfaces whose fitted parameters are outside of the training range, left out.
    """

    artifact: Artifact
    n_logged: int
    n_outside: int


def retrain(
    champion: Artifact,
    surfaces: Sequence[tuple[Quotes, Model]],
    data_folder: Path,
    plan: Plan,
    *,
    on_epoch: OnEpoch | None = None,
) -> Retrained:
    """Train a network further, and write it to the registry of its predecessor.

    Parameters
    ----------
    champion : Artifact
        Initial network, which reads any quotes.
    surfaces : sequence of (Quotes, Model)
        Logged quotes and the model fitted to them.
    data_folder : Path
        Data sets; those that are missing are generated.
    plan : Plan
    on_epoch : callable, optional
        Called after each epoch.

    Raises
    ------
    InvalidInputError
        Too few surfaces lie in the training range, or the network reads the standard grid only.
    """
    if champion.manifest["reads"] != "points":
        raise InvalidInputError(
            f"{champion.version} reads the standard grid, which logged surfaces are not on; "
            "retrain a network that reads any quotes, such as set"
        )
    logged, digest, n_outside = _logged(champion.model, surfaces)
    recipe = replace(
        Recipe.of(champion.manifest["recipe"]),
        epochs=plan.epochs,
        learning_rate=plan.learning_rate,
        surfaces=plan.rehearsal,
        seed=plan.seed,
    )
    rehearsed = _rehearsed(champion.model, data_folder, plan)
    data = replace(
        rehearsed,
        sources=(*rehearsed.sources, logged),
        data_hash={**rehearsed.data_hash, "log": digest},
    )
    start = initial_network(champion, recipe, champion.model)
    run = train(recipe, data, start=start, on_epoch=on_epoch)
    artifact = write_artifact(
        champion.folder.parents[1], champion.model, recipe, run, data, run.held[0], champion
    )
    return Retrained(artifact, logged.size, n_outside)


def _logged(model_type: str, surfaces: Sequence[tuple[Quotes, Model]]) -> tuple[Source, str, int]:
    """Return the surfaces inside the training range, their hash, and the number of the others."""
    box = Box.of(model_type)
    targets = [box.targets(model)[0] for _, model in surfaces]
    inside = [k for k, t in enumerate(targets) if np.all((t >= 0.0) & (t <= 1.0))]
    if len(inside) < _FEWEST:
        raise InvalidInputError(
            f"{len(inside)} of {len(surfaces)} logged surfaces converged inside the training range "
            f"of {model_type}; {_FEWEST} are required"
        )
    priced = PricedSurfaces.of_quotes([surfaces[k][0] for k in inside])
    source = Source(priced, np.array([targets[k] for k in inside], dtype=np.float32))
    arrays = (*vars(priced).values(), source.targets)
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays))
    return source, digest.hexdigest(), len(surfaces) - len(inside)


def _rehearsed(model_type: str, folder: Path, plan: Plan) -> TrainingData:
    for layout in LAYOUTS_READ["points"]:
        data = DataPlan(model_type, plan.rehearsal, layout=layout)
        if not (data.folder(folder) / MANIFEST).exists():
            generation.generate(data, folder)
    return TrainingData.open(folder, model_type, "points", most=plan.rehearsal)
