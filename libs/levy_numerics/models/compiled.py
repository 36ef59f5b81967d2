"""Formulas of models compiled by Numba, for one parameter set and a hundred numbers at a time.

On arrays that small NumPy spends most of its time on the overhead of calls: compiled formulas take
a quarter to a half of it. Machine code is cached on disk (see `jit`). Models that are not
`NumbaModel` are evaluated by NumPy.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numba.extending import register_jitable
from numba.np.unsafe.ndarray import to_fixed_tuple

from levy_numerics import special_numba  # noqa: F401 - registers what formulas call
from levy_numerics.jit import compiled_in_order
from levy_numerics.models import coordinates
from levy_numerics.models.base import COMPLEX_STEP, LevyModel, Model, complex_steps
from levy_numerics.models.numba_model import NumbaModel

_AnyModel = TypeVar("_AnyModel", bound=Model)
_Formula = Callable[..., Any]

register_jitable(coordinates.variance_and_strip)
register_jitable(coordinates.split)


def from_coordinates_with_jacobian(
    model: type[_AnyModel], z: np.ndarray
) -> tuple[_AnyModel, np.ndarray]:
    """Return `Model.from_coordinates_with_jacobian` at one point, shape (n_coordinates,)."""
    if not issubclass(model, NumbaModel):
        return model.from_coordinates_with_jacobian(z)
    parameters_from_coordinates, _ = _formulas(model)
    stepped = np.array(parameters_from_coordinates(z[:, None] + complex_steps(len(z))))
    return model(*stepped[:, 0].real.tolist()), stepped.imag / COMPLEX_STEP


def exponent_with_gradient(model: LevyModel, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `LevyModel.exponent_with_gradient` of one parameter set, u of shape (n,)."""
    if not isinstance(model, NumbaModel):
        return model.exponent_with_gradient(u)
    return evaluate_formula(type(model), u, [float(v) for v in model.as_mapping().values()])


def evaluate_formula(
    model: type[NumbaModel], u: np.ndarray, parameters: Sequence[float] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return ψ(u) and its gradient for parameters in the order of declaration, u of shape (n,)."""
    _, formula = _formulas(model)
    try:
        return formula(u, *parameters)  # type: ignore[no-any-return]
    except ZeroDivisionError:
        # At a pole Numba raises for complex numbers, NumPy returns infinity.
        return model(*parameters).exponent_with_gradient(u)


def sector(model: Model, maturity_years: np.ndarray) -> np.ndarray:
    """Return `Model.sector`, `maturity_years` broadcast against the fields."""
    cls = type(model)
    if not issubclass(cls, NumbaModel) or cls.half_angle is NumbaModel.half_angle:
        return np.asarray(model.sector(maturity_years))
    arrays = np.broadcast_arrays(maturity_years, *model.as_mapping().values())
    columns = np.array([np.ravel(array) for array in arrays], dtype=float)
    return _half_angles(cls)(columns).reshape(arrays[0].shape)


@cache
def _half_angles(model: type[NumbaModel]) -> Callable[[np.ndarray], np.ndarray]:
    _register(model)
    half_angle = register_jitable(model.half_angle)
    n_arguments = 1 + len(model.parameters())

    def half_angles(columns: np.ndarray) -> np.ndarray:
        angles = np.empty(columns.shape[1])
        for k in range(len(angles)):
            angles[k] = half_angle(*to_fixed_tuple(columns[:, k].copy(), n_arguments))
        return angles

    return compiled_in_order(half_angles)


def _register(model: type[NumbaModel]) -> None:
    """Let compiled formulas call the helpers of a model."""
    for helper in model.helpers:
        register_jitable(helper)


@cache
def _formulas(model: type[NumbaModel]) -> tuple[_Formula, _Formula]:
    _register(model)
    return compiled_in_order(model.parameters_from_coordinates), compiled_in_order(
        model.exponent_and_gradient
    )
