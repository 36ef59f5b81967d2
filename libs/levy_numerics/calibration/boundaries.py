"""Boundary solutions: the limits of a model, named by the parameters that run to them."""

from typing import Final

import numpy as np

from levy_numerics.calibration.objective import Objective
from levy_numerics.calibration.solver_problem import LeastSquaresProblem, Solution
from levy_numerics.implied_volatility import black_prices, black_vegas
from levy_numerics.models.base import Model
from levy_numerics.parameters import Parameter

# A step beyond the edge of the box, in coordinates, and the least change of a parameter's logarithm
# along it that shows the parameter to run to a limit.
_OUTWARD: Final = 1e-3
_LEAST_PACE: Final = 0.3 * _OUTWARD
# Skewness and excess kurtosis above which a fit is not compared with Gaussian distributions: 0.01
# of kurtosis changes an implied volatility of 20% by 0.01 points.
_NEARLY_GAUSSIAN: Final = 0.01
# Insignificant reduction of squared error, in units of one quote's: noise alone gives 1 per
# parameter.
_NO_GAIN: Final = 0.1
# Skewness and excess kurtosis that quotes cannot show: at most 0.003 points of a volatility of 20%.
_GAUSSIAN: Final = 1e-3
# Ratio of squared errors that such departures, or those on an edge of the box, may reach by fitting
# the rounding of a few quotes; quotes that determine them have ratios of thousands.
_FITS_ROUNDING: Final = 4.0
# Share of the cost by which a coordinate may change it on its way to an edge.
_INDIFFERENT: Final = 1e-6
# Of residuals, in units of the problem's floor, which is a tenth of the prices' tolerance.
_TOLERANCES: Final = 10.0


def degenerate_limits(
    model: Model, solution: Solution, problem: LeastSquaresProblem, objective: Objective
) -> tuple[str, ...]:
    """Return the limits that the parameters of a fit run to; empty where the fit is interior.

    A fit that Gaussian distributions match as well is in the Gaussian limit, wherever it stopped:
    see `Model.gaussian_limit`, and `Model.gaussian_parts` for models of several parts. Others are
    named by the edges of the search box on which the fit lies. Examples: "nu → 0", "M → 1".
    """
    on_edge = (solution.point <= problem.low) | (solution.point >= problem.high)
    gaussian = model.gaussian_limit()
    if gaussian and _is_gaussian(model, solution, problem, objective, on_edge=bool(on_edge.any())):
        return gaussian
    if not on_edge.any():
        on_edge = _indifferent(solution, problem)
    edges = _edge_limits(type(model), solution.point, on_edge, problem)
    parts = model.gaussian_parts(float(objective.quotes.contracts.maturity_years.min()))
    return tuple(dict.fromkeys((*parts, *edges)))


def _is_gaussian(
    model: Model,
    solution: Solution,
    problem: LeastSquaresProblem,
    objective: Objective,
    *,
    on_edge: bool,
) -> bool:
    """Return whether Gaussian distributions of about the same variance fit as well as `model`.

    The variances are scaled by the factor that suits the quotes best, to first order: the fit has
    chosen its variance together with what is left of its skewness and kurtosis.
    """
    c = objective.quotes.contracts
    years, group = c.by_maturity.maturity_groups
    with np.errstate(all="ignore"):
        _, variance, third, fourth = model.cumulants(years)
        departure = np.abs([third / variance**1.5, fourth / variance**2]).max()
        if not departure < _NEARLY_GAUSSIAN:
            return False
    vol = np.sqrt(variance / years)[group]
    gaussian = black_prices(vol, c)
    residuals = objective.weighting.residuals(gaussian)
    by_level = objective.weighting.residual_derivative(gaussian) * black_vegas(vol, c) * vol
    gain = float(residuals @ by_level) ** 2 / float(by_level @ by_level)
    square = float(residuals @ residuals) - gain
    rounding = (_TOLERANCES * problem.floor) ** 2
    loose = on_edge or departure < _GAUSSIAN
    ratio = _FITS_ROUNDING if loose else 1.0 + _NO_GAIN / residuals.size
    return square <= max(2.0 * solution.cost * ratio, rounding)


def _indifferent(solution: Solution, problem: LeastSquaresProblem) -> np.ndarray:
    """Return which coordinates could move to their nearer edge and leave the fit as good.

    To first order, which overstates the change: prices flatten towards a limit.
    """
    distance = np.minimum(solution.point - problem.low, problem.high - solution.point)
    slope = np.abs(solution.residuals @ solution.jacobian)
    curvature = np.einsum("ij,ij->j", solution.jacobian, solution.jacobian)
    change = slope * distance + 0.5 * curvature * distance**2
    return np.asarray(change <= _INDIFFERENT * solution.cost)


def _edge_limits(
    model: type[Model], point: np.ndarray, on_edge: np.ndarray, problem: LeastSquaresProblem
) -> tuple[str, ...]:
    """Return one limit for each coordinate on its edge, each parameter at most once.

    Of the parameters that a coordinate moves, the one that nears the end of its domain fastest is
    named. Where two edges move one parameter to different ends, the first coordinate decides.
    """
    limits: dict[str, str] = {}
    for j in np.flatnonzero(on_edge):
        upward = point[j] - problem.low[j] > problem.high[j] - point[j]
        outward = point.copy()
        outward[j] += _OUTWARD if upward else -_OUTWARD
        here = model.from_coordinates(point).as_mapping()
        there = model.from_coordinates(outward).as_mapping()
        pace, end, name = max(
            (*_approach(p, float(here[p.name]), float(there[p.name])), p.name)
            for p in model.parameters()
        )
        if pace > _LEAST_PACE:
            limits.setdefault(name, f"{name} → {end}")
    return tuple(limits.values())


def _approach(p: Parameter, here: float, there: float) -> tuple[float, str]:
    """Return how fast, in logarithms, a parameter nears an end of its domain, and which."""
    paces = []
    # A parameter of either sign is far from 0 beyond its typical range, not beyond what it is.
    has_sign = np.isfinite(p.domain.low)
    size = abs(here) if has_sign else max(abs(here), *map(abs, p.typical_range))
    for end in (p.domain.low, p.domain.high):
        if np.isfinite(end):
            distance, further = abs(here - end), abs(there - end)
            pace = np.inf if distance == 0 else np.log(distance / max(further, 1e-300))
            paces.append((float(pace), f"{end:g}"))
        else:
            pace = np.sign(end) * (there - here) / size
            paces.append((float(pace), "∞" if end > 0 else "−∞"))
    return max(paces)
