"""Checkpoints, from which an interrupted training run continues exactly."""

import json
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Self

import keras
import numpy as np

from levy_numerics.errors import InvalidInputError
from levy_surfaces.atomic_files import write_atomically

_FILE: Final = "checkpoint.npz"


@dataclass
class Progress:
    """Progress of a training run.

    Attributes
    ----------
    history : list of dict
        Score in training and on the holdout (see `score_of`), learning rate and seconds of each
        epoch.
    best_score : float
        Smallest score on the holdout.
    best_weights : list of ndarray
        Weights with the best score.
    since_best : int
        Epochs since the best score.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_score: float = float("inf")
    best_weights: list[np.ndarray] = field(default_factory=list)
    since_best: int = 0

    def add(self, epoch: dict[str, float], model: keras.Model) -> None:
        """Add the scores of an epoch."""
        self.history.append(epoch)
        if epoch["holdout_score"] < self.best_score:
            self.best_score, self.since_best = epoch["holdout_score"], 0
            self.best_weights = [np.array(w) for w in model.get_weights()]
        else:
            self.since_best += 1

    def write(self, folder: Path, model: keras.Model, fingerprint: str) -> None:
        """Write a checkpoint with all variables of model and optimiser, atomically."""
        state = {
            "fingerprint": fingerprint,
            "history": self.history,
            "best_score": self.best_score,
            "since_best": self.since_best,
        }
        arrays: dict[str, Any] = {f"variable_{k}": v for k, v in enumerate(_values(model))}
        arrays |= {f"best_{k}": v for k, v in enumerate(self.best_weights)}
        content = BytesIO()
        np.savez(content, told=np.array(json.dumps(state)), **arrays)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / _FILE, content.getvalue())

    @classmethod
    def read(cls, folder: Path, model: keras.Model, fingerprint: str) -> Self:
        """Read a checkpoint and restore model and optimiser.

        Raises
        ------
        InvalidInputError
            There is no checkpoint, or it belongs to another recipe or other data.
        """
        path = folder / _FILE
        if not path.is_file():
            raise InvalidInputError(f"{folder} has no checkpoint; train without --resume")
        with np.load(path, allow_pickle=False) as arrays:
            state = json.loads(str(arrays["told"]))
            if state["fingerprint"] != fingerprint:
                raise InvalidInputError(
                    f"{path} belongs to another recipe or other data; train without --resume"
                )
            variables = _variables(model)
            for k, variable in enumerate(variables):
                variable.assign(arrays[f"variable_{k}"])
            best = [arrays[f"best_{k}"] for k in range(len(model.weights))]
        return cls(state["history"], state["best_score"], best, state["since_best"])


def _variables(model: keras.Model) -> list[Any]:
    """Return weights, states of random generators, and the optimiser's moments."""
    return [*model.variables, *model.optimizer.variables]


def _values(model: keras.Model) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable) for variable in _variables(model)]
