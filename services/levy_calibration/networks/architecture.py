"""What an architecture is, and which ones there are.

A network reads the features of surfaces and answers with the place of the parameters in the
model's box and the logarithms of the deviations of its error. Places come out of a logistic
function, so that every answer is a model with a forward.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, Literal, Self, TypeVar

import keras

from levy_numerics.errors import InvalidInputError
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.features import POINT_CHANNELS
from levy_surfaces.synthetic.scaling import StandardScaler

Reads = Literal["grid", "points"]
N_GRID: Final = grid.SHAPE[0] * grid.SHAPE[1]
N_CHANNELS: Final = len(POINT_CHANNELS)

PLACES: Final = "places"
LOG_DEVIATIONS: Final = "log_deviations"
SUMMARY: Final = "summary"

_FIRST_LOG_DEVIATION: Final = -2.0
_A = TypeVar("_A", bound=type["Architecture"])
_REGISTERED: dict[str, type["Architecture"]] = {}


@dataclass(frozen=True)
class Architecture(ABC):
    """Sizes of one kind of network; subclasses add fields, and know how to build it.

    Attributes
    ----------
    dropout : float
        Share of the last hidden units that is left out in training.
    l2 : float
        Penalty on squared weights of dense layers.
    """

    dropout: float = 0.0
    l2: float = 0.0

    name: ClassVar[str]
    reads: ClassVar[Reads]

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Build from a recipe's options.

        Raises
        ------
        InvalidInputError
            An option is unknown, or its value is not admissible.
        """
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(options) - known)
        if unknown:
            raise InvalidInputError(
                f"{cls.name} has no option {', '.join(unknown)}; known are "
                f"{', '.join(sorted(known))}"
            )
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in options.items()
        }
        made = cls(**given)
        made.check()
        return made

    def check(self) -> None:
        """Raise `InvalidInputError` unless a network can be built."""
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
            p, the parameters of the model.
        scaler : StandardScaler
            Of what the network reads: log volatilities of the grid, or channels of a point.
        seed : int
            Of the weights.

        Returns
        -------
        keras.Model
            From features, shape (n, 200) or (n, any, 5), to `places` and `log_deviations`, shapes
            (n, p), and `summary`, by which surfaces unlike those of training are known.
        """


class SingleNetwork(Architecture):
    """A trunk of its own under the common last layer."""

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
        """All but the last layer: hidden units, and the summary."""

    def dense(self, width: int, name: str, activation: str | None = "silu") -> keras.layers.Layer:
        """Make a dense layer with the architecture's penalty."""
        penalty = keras.regularizers.L2(self.l2) if self.l2 else None
        return keras.layers.Dense(
            width, activation=activation, kernel_regularizer=penalty, name=name
        )


def head(hidden: keras.KerasTensor, n_targets: int) -> dict[str, keras.KerasTensor]:
    """Last layer: where in the box, and how surely.

    Deviations begin at an eighth of the box, whatever the surface.
    """
    places = keras.layers.Dense(n_targets, activation="sigmoid", name=PLACES)(hidden)
    deviations = keras.layers.Dense(
        n_targets,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(_FIRST_LOG_DEVIATION),
        name=LOG_DEVIATIONS,
    )(hidden)
    return {PLACES: places, LOG_DEVIATIONS: deviations}


def standardised(features: keras.KerasTensor, scaler: StandardScaler) -> keras.KerasTensor:
    """Features less their mean, over their deviation."""
    layer = keras.layers.Normalization(
        mean=scaler.mean, variance=scaler.deviation**2, name="standardised"
    )
    return layer(features)


def register(cls: _A) -> _A:
    """Class decorator that makes an architecture known under its `name`."""
    _REGISTERED[cls.name] = cls
    return cls


def names() -> tuple[str, ...]:
    """Names of the architectures."""
    return tuple(_REGISTERED)


def get(name: str) -> type[Architecture]:
    """Return the architecture of that name.

    Raises
    ------
    InvalidInputError
        There is none.
    """
    if name not in _REGISTERED:
        raise InvalidInputError(f"no network is called {name!r}; known are {', '.join(names())}")
    return _REGISTERED[name]
