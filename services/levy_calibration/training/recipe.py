"""Recipes: everything on which a trained network depends besides its data."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, Self

import yaml

from levy_calibration.networks import registry
from levy_calibration.networks.architecture import Architecture
from levy_calibration.training.loss import LOSSES, Loss
from levy_numerics.errors import InvalidInputError

Schedule = Literal["cosine", "exponential"]
_SCHEDULES: Final[tuple[Schedule, ...]] = ("cosine", "exponential")


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that rejects a mapping with a key twice instead of keeping the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set[Any]()
        for key_node, _ in node.value:
            key = (key_node.tag, str(key_node.value))
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key_node.value} occurs twice",
                    problem_mark=key_node.start_mark,
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes
    ----------
    network : str
        Architecture.
    options : mapping
        Of the architecture: widths, dropout, l2, …
    loss : {"likelihood", "mse"}
    epochs, batch_size : int
        Passes over the surfaces, and surfaces in a step.
    learning_rate : float
        Of Adam at its highest; it rises over `warmup_steps`, then decays to nothing along a cosine,
        or by a factor of 100 exponentially.
    rounds : int
        How often noise and gaps are drawn anew.
    patience : int
        Epochs without a better loss on the holdout after which training stops; the best weights
        are kept.
    holdout : float
        Share of the surfaces that is not trained on.
    surfaces : int
        Of each layout, the first so many of the data set.
    seed : int
        Of weights, holdout, noise and order.
    """

    network: str
    options: Mapping[str, Any] = field(default_factory=dict)
    loss: Loss = "likelihood"
    epochs: int = 40
    batch_size: int = 512
    learning_rate: float = 2e-3
    schedule: Schedule = "cosine"
    warmup_steps: int = 300
    rounds: int = 2
    patience: int = 10
    holdout: float = 0.2
    surfaces: int = 100_000
    seed: int = 1

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read and check a YAML file.

        Raises
        ------
        InvalidInputError
            It is no recipe, or has a name or a value that is not admissible.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
            found = yaml.load(text, _UniqueKeyLoader)
        except yaml.YAMLError as error:
            raise InvalidInputError(f"{path} is no YAML: {error}") from None
        if not isinstance(found, dict):
            raise InvalidInputError(f"{path} is no recipe: a mapping of names to values")
        try:
            return cls.of(found)
        except InvalidInputError as error:
            raise InvalidInputError(f"{path}: {error.message}") from None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Make a recipe of its parts, as `read`."""
        known = {f.name: f for f in fields(cls)}
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise InvalidInputError(
                f"a recipe has no {', '.join(unknown)}; known are {', '.join(known)}"
            )
        if "network" not in values:
            raise InvalidInputError("a recipe names its network")
        made = cls(**values)
        made.check()
        return made

    def check(self) -> None:
        """Raise `InvalidInputError` unless a network can be trained by it."""
        for name, known in (("loss", LOSSES), ("schedule", _SCHEDULES)):
            if getattr(self, name) not in known:
                raise InvalidInputError(
                    f"{name} = {getattr(self, name)!r}; known are {', '.join(known)}"
                )
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise InvalidInputError(f"{name} = {value!r} must be a whole number ≥ {least}")
        for name, high in (("learning_rate", 1.0), ("holdout", 0.9)):
            value = getattr(self, name)
            if not (isinstance(value, float) and 0.0 < value <= high):
                raise InvalidInputError(f"{name} = {value!r} must lie in (0, {high}]")
        if not isinstance(self.options, Mapping):
            raise InvalidInputError(f"options = {self.options!r} must be a mapping")
        self.architecture()

    def architecture(self) -> Architecture:
        """Return the architecture with its options."""
        return registry.get(self.network).of(self.options)

    def as_mapping(self) -> dict[str, Any]:
        """For manifests."""
        return {**asdict(self), "options": dict(self.options)}

    @property
    def digest(self) -> str:
        """Fingerprint."""
        text = json.dumps(self.as_mapping(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


_LEAST: Final = {
    "epochs": 1,
    "batch_size": 1,
    "warmup_steps": 0,
    "rounds": 1,
    "patience": 1,
    "surfaces": 10,
    "seed": 0,
}
