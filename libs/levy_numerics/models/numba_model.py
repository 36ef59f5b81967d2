"""Models whose formulas may be compiled: those that are fitted one after another, by a service."""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np

from levy_numerics.models.base import LevyModel


class NumbaModel(LevyModel):
    """A Lévy model whose formulas are functions of arrays and numbers alone.

    NumPy, JAX and Numba (see `compiled`) run them unchanged: they consist of arithmetic and of
    functions of `array_namespace` and `special`, and do not depend on the type of an array.
    """

    helpers: ClassVar[tuple[Callable[..., Any], ...]] = ()
    """Functions of its own that the model's formulas call."""

    @staticmethod
    @abstractmethod
    def exponent_and_gradient(u: Any, *parameters: Any) -> tuple[Any, Any]:
        """Return ψ(u) and ∂ψ(u)/∂ each parameter, stacked on a new first axis."""

    @staticmethod
    @abstractmethod
    def parameters_from_coordinates(z: Any) -> tuple[Any, ...]:
        """Return the parameters at coordinates `z`, in order."""

    @staticmethod
    def half_angle(maturity_years: float, *parameters: Any) -> float:
        """Return `Model.sector` of one parameter set at one maturity, radians.

        A model that overrides it overrides `sector` as well.
        """
        return 0.25 * math.pi

    @staticmethod
    def log_oscillation(u: Any, *parameters: Any) -> Any:
        """Return `Model.log_oscillating_part` less log T; of length zero if there is none."""
        return np.empty(0, dtype=np.complex128)

    def exponent_gradient(self, u: Any) -> Any:
        return self.exponent_with_gradient(u)[1]

    def exponent_with_gradient(self, u: Any) -> tuple[Any, Any]:
        return self.exponent_and_gradient(u, *self.as_mapping().values())

    @classmethod
    def from_coordinates(cls, z: Any) -> Self:
        return cls(*cls.parameters_from_coordinates(z))
