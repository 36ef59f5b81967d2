"""Models whose formulas may be compiled: those that are fitted one after another, by a service."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self

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

    def exponent_gradient(self, u: Any) -> Any:
        return self.exponent_with_gradient(u)[1]

    def exponent_with_gradient(self, u: Any) -> tuple[Any, Any]:
        return self.exponent_and_gradient(u, *self.as_mapping().values())

    @classmethod
    def from_coordinates(cls, z: Any) -> Self:
        return cls(*cls.parameters_from_coordinates(z))
