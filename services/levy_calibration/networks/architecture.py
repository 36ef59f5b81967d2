"""The base class of architectures, and their registry.

A network maps the features of surfaces to unit parameters, which are positions in the model's box,
and to the logarithms of their standard errors. Unit parameters are the output of a logistic
function, so that each output is an admissible model.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, Self, TypeVar

import keras

from levy_numerics.errors import InvalidInputError
from levy_schemas.networks import Reads
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.features import POINT_CHANNELS
from levy_surfaces.synthetic.scaling import StandardScaler

N_GRID: Final = grid.SHAPE[0] * grid.SHAPE[1]
N_CHANNELS: Final = len(POINT_CHANNELS)

UNIT_PARAMETERS: Final = "places"
"""Name of the output in stored networks."""
LOG_DEVIATIONS: Final = "log_deviations"
SUMMARY: Final = "summary"

_INITIAL_LOG_DEVIATION: Final = -2.0
_A = TypeVar("_A", bound=type["Architecture"])
_REGISTERED: dict[str, type["Architecture"]] = {}


@dataclass(frozen=True)
class Architecture(ABC):
    """Hyperparameters of an architecture; subclasses add fields and build the network.

    Attributes
    ----------
    dropout : float
        Dropout rate of the last hidden layer in training.
    l2 : float
        Penalty on squared weights of dense layers.
    """

    dropout: float = 0.0
    l2: float = 0.0

    name: ClassVar[str]
    reads: ClassVar[Reads]

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Return the architecture with a recipe's options.

        Raises
        ------
        InvalidInputError
            An option is unknown, or its value is invalid.
        """
        names = {f.name for f in fields(cls)}
        unknown = sorted(set(options) - names)
        if unknown:
            raise InvalidInputError(
                f"{cls.name} has no option {', '.join(unknown)}; available: "
                f"{', '.join(sorted(names))}"
            )
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in options.items()
        }
        architecture = cls(**given)
        architecture.check()
        return architecture

    def check(self) -> None:
        """Raise `InvalidInputError` if an option is invalid."""
        if not (0.0 <= self.dropout < 1.0):
            raise InvalidInputError(f"dropout = {self.dropout} must lie in [0, 1)")
        if not (0.0 <= self.l2 < 1.0):
            raise InvalidInputError(f"l2 = {self.l2} must lie in [0, 1)")

    @abstractmethod
    def build(self, n_targets: int, scaler: StandardScaler, seed: int = 0) -> keras.Model:
        """Return a network with fresh weights.

        Parameters
        ----------
        n_targets : int
            Number p of the model's parameters.
        scaler : StandardScaler
            Scaler of the input: log volatilities of the grid, or channels of a point.
        seed : int
            Random seed of the weights.

        Returns
        -------
        keras.Model
            From features, shape (n, 200) or (n, any, 5), to `places` and `log_deviations`, shapes
            (n, p), and `summary`, the input of the out-of-distribution detector.
        """


class SingleNetwork(Architecture):
    """A network with its own trunk and the common output layer."""

    def build(self, n_targets: int, scaler: StandardScaler, seed: int = 0) -> keras.Model:
        keras.utils.set_random_seed(seed)
        shape = (N_GRID,) if self.reads == "grid" else (None, N_CHANNELS)
        features = keras.Input(shape, name="features")
        hidden, summary = self.trunk(features, scaler)
        if self.dropout:
            hidden = keras.layers.Dropout(self.dropout, seed=seed, name="dropout")(hidden)
        outputs = {**head(hidden, n_targets), SUMMARY: summary}
        return keras.Model(features, outputs, name=self.name)

    @abstractmethod
    def trunk(
        self, features: keras.KerasTensor, scaler: StandardScaler
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Return the last hidden layer and the summary."""

    def dense(self, width: int, name: str, activation: str | None = "silu") -> keras.layers.Layer:
        """Return a dense layer with the architecture's penalty."""
        penalty = keras.regularizers.L2(self.l2) if self.l2 else None
        return keras.layers.Dense(
            width, activation=activation, kernel_regularizer=penalty, name=name
        )


def head(hidden: keras.KerasTensor, n_targets: int) -> dict[str, keras.KerasTensor]:
    """Return the output layer: unit parameters and log deviations.

    Initial deviations are an eighth of the box for every surface.
    """
    units = keras.layers.Dense(n_targets, activation="sigmoid", name=UNIT_PARAMETERS)(hidden)
    deviations = keras.layers.Dense(
        n_targets,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(_INITIAL_LOG_DEVIATION),
        name=LOG_DEVIATIONS,
    )(hidden)
    return {UNIT_PARAMETERS: units, LOG_DEVIATIONS: deviations}


def standardised(features: keras.KerasTensor, scaler: StandardScaler) -> keras.KerasTensor:
    """Return features minus their mean, over their standard deviation."""
    layer = keras.layers.Normalization(
        mean=scaler.mean, variance=scaler.deviation**2, name="standardised"
    )
    return layer(features)


def register(cls: _A) -> _A:
    """Register an architecture under its `name` (class decorator)."""
    _REGISTERED[cls.name] = cls
    return cls


def names() -> tuple[str, ...]:
    """Return the names of the architectures."""
    return tuple(_REGISTERED)


def get(name: str) -> type[Architecture]:
    """Return the architecture of that name.

    Raises
    ------
    InvalidInputError
        The architecture does not exist.
    """
    if name not in _REGISTERED:
        raise InvalidInputError(f"unknown network {name!r}; available: {', '.join(names())}")
    return _REGISTERED[name]
