"""Recipes: everything on which a trained network depends except its data."""

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

PACKAGED: Final = Path(__file__).parent / "recipes"
"""Recipes that are installed with the engine."""
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
    """Settings of a training run.

    Attributes
    ----------
    network : str
        Architecture.
    options : mapping
        Options of the architecture: widths, dropout, l2, …
    loss : {"likelihood", "mse"}
    epochs, batch_size : int
        Number of passes over the surfaces, and of surfaces in a step.
    learning_rate : float
        Maximum learning rate of Adam, reached after `warmup_steps`; it then decays to zero along
        a cosine, or exponentially by a factor of 100.
    rounds : int
        Number of times that noise and gaps are drawn.
    patience : int
        Epochs without an improvement on the holdout after which training stops; the best weights
        are used.
    holdout : float
        Fraction of the surfaces that is held out.
    surfaces : int
        Number of surfaces of each layout, from the start of the data set.
    seed : int
        Random seed of weights, holdout, noise and order.
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
        """Read and validate a YAML file.

        Raises
        ------
        InvalidInputError
            The file is not a recipe, or has an invalid name or value.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
            values = yaml.load(text, _UniqueKeyLoader)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())
            raise InvalidInputError(f"{path} is not valid YAML: {reason}") from None
        if not isinstance(values, dict):
            raise InvalidInputError(
                f"{path} is not a recipe, which is a mapping of names to values"
            )
        try:
            return cls.of(values)
        except InvalidInputError as error:
            raise InvalidInputError(f"{path}: {error.message}") from None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return a validated recipe; raises as `read`."""
        names = [f.name for f in fields(cls)]
        unknown = sorted(set(values) - set(names))
        if unknown:
            raise InvalidInputError(
                f"a recipe has no {', '.join(unknown)}; available: {', '.join(names)}"
            )
        if "network" not in values:
            raise InvalidInputError("a recipe requires network (missing)")
        recipe = cls(**values)
        recipe.check()
        return recipe

    def check(self) -> None:
        """Raise `InvalidInputError` unless a network can be trained by it."""
        for name, allowed in (("loss", LOSSES), ("schedule", _SCHEDULES)):
            if getattr(self, name) not in allowed:
                raise InvalidInputError(
                    f"{name} = {getattr(self, name)!r}; available: {', '.join(allowed)}"
                )
        for name, minimum in _MINIMA.items():
            value = getattr(self, name)
            if type(value) is not int or value < minimum:
                raise InvalidInputError(f"{name} = {value!r} must be an integer ≥ {minimum}")
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
        """Return the recipe as in manifests."""
        return {**asdict(self), "options": dict(self.options)}

    @property
    def digest(self) -> str:
        """Hash of the recipe."""
        text = json.dumps(self.as_mapping(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


_MINIMA: Final = {
    "epochs": 1,
    "batch_size": 1,
    "warmup_steps": 0,
    "rounds": 1,
    "patience": 1,
    "surfaces": 10,
    "seed": 0,
}
