"""The least-squares problem of quotes and weights, in a model's coordinates.

For most models the iterations are one compiled function: an iteration passes from the solver
through the model's formulas and the pricing kernel to weighted residuals, without the interpreter
and its lock. Points that need another rule than the one at hand (more nodes, finer steps), and
models that are not compiled, are evaluated by `Objective._evaluate`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Final, Self

import numpy as np
from numba.extending import register_jitable
from numba.np.unsafe.ndarray import to_fixed_tuple

from levy_numerics.calibration.fit_quality import PricingErrors, vols_of_quotes
from levy_numerics.calibration.solver_problem import Evaluation, LeastSquaresProblem
from levy_numerics.calibration.trust_region import EVALUATE, RUNNING, Iterate, State, judge, propose
from levy_numerics.calibration.weights import (
    Weighting,
    WeightingArrays,
    Weights,
    default_weights,
    require_weights,
    set_weighted_errors,
    weighting,
)
from levy_numerics.errors import OutsideStripError
from levy_numerics.jit import compiled, compiled_in_order_without_lock
from levy_numerics.market import Quotes
from levy_numerics.models.base import COMPLEX_STEP, Model
from levy_numerics.models.compiled import from_coordinates_with_jacobian
from levy_numerics.models.numba_model import NumbaModel
from levy_numerics.pricing.integrand_factors import set_rows
from levy_numerics.pricing.sinh import KernelRule, SinhPricer, present_values
from levy_numerics.pricing.sinh_kernel import fourier_sums
from levy_numerics.pricing.sinh_rule import TRUNCATION_SHARE

# Of prices during a fit, as a fraction of the forward: below any quote's own error.
TOLERANCE: Final = 1e-9
Iterations = Callable[[State, WeightingArrays, KernelRule], int]
# Iterations between two looks at the clock: a few milliseconds at most.
_AT_A_TIME: Final = 8


@dataclass(frozen=True)
class Objective:
    """Weighted pricing errors of a model.

    Attributes
    ----------
    quotes : Quotes
    weights : {"price", "vega", "bid_ask"}
        Name of the weighting.
    weighting : Weighting
    pricer : SinhPricer
    """

    quotes: Quotes
    weights: Weights
    weighting: Weighting
    pricer: SinhPricer
    _problems: dict[type[Model], LeastSquaresProblem] = field(
        default_factory=dict, init=False, repr=False
    )

    @classmethod
    def of(
        cls, quotes: Quotes, weights: str | None = None, pricer: SinhPricer | None = None
    ) -> Self:
        """Choose the weighting by name, or the default one, and a pricer unless given.

        See `weights.weighting` and `weights.default_weights`.
        """
        if pricer is None:
            pricer = SinhPricer(quotes.contracts, TOLERANCE, is_repeated=True)
        name = default_weights(quotes) if weights is None else require_weights(weights)
        return cls(quotes, name, weighting(quotes, name), pricer)

    def problem(self, model: type[Model]) -> LeastSquaresProblem:
        """Return least squares in the coordinates of `model`; residuals are functions of prices."""
        if model not in self._problems:
            self._problems[model] = self._problem(model)
        return self._problems[model]

    def _problem(self, model: type[Model]) -> LeastSquaresProblem:
        run = compiled_iterations(model)

        def iterate(state: State) -> int:
            if run is None:
                return propose(state)
            try:
                return run(state, self.weighting.arrays, self.pricer.kernel_rule())
            except ZeroDivisionError:
                # At a pole Numba raises for complex numbers, NumPy returns infinity.
                return EVALUATE

        low, high = model.coordinate_bounds()
        c = self.quotes.contracts
        price_error = TOLERANCE * c.discount * c.forward
        rounding = price_error * self.weighting.residual_derivative(self.quotes.price)
        return LeastSquaresProblem(
            lambda z: self._evaluate(model, z),
            np.array(low),
            np.array(high),
            floor=0.1 * math.sqrt(rounding @ rounding),
            n_residuals=self.quotes.size,
            iterate=iterate,
        )

    def errors(self, prices: np.ndarray) -> PricingErrors:
        """Compare prices of a model, shape (n,), with the quotes."""
        return PricingErrors.of(self.quotes, prices, self._market_vols)

    @cached_property
    def _market_vols(self) -> np.ndarray:
        return vols_of_quotes(self.quotes)

    def _evaluate(self, model: type[Model], z: np.ndarray) -> Evaluation:
        member, by_coordinate = from_coordinates_with_jacobian(model, z)
        try:
            prices = self.pricer.price_gradient(member)
        except OutsideStripError:
            # A step into a region without a forward; the solver turns back.
            nowhere = np.full(self.quotes.size, np.nan)
            return Evaluation(nowhere, np.zeros((self.quotes.size, z.size)), nowhere, nowhere)
        derivative = self.weighting.residual_derivative(prices.value)
        jacobian = (by_coordinate.T @ (prices.gradient * derivative)).T
        return Evaluation(
            self.weighting.residuals(prices.value), jacobian, prices.value, derivative
        )


@cache
def compiled_iterations(model: type[Model]) -> Iterations | None:
    """Return compiled iterations, or None for a model that only the interpreter can evaluate.

    The function runs until the solver ends (its code), a few iterations have passed (`RUNNING`), or
    a point needs a rule of its own (`EVALUATE`).
    """
    if not issubclass(model, NumbaModel):
        return None
    for helper in model.helpers:
        register_jitable(helper)
    # Captured as plain functions: Numba can cache a function on disk that captures these.
    half_angle = register_jitable(model.half_angle)
    log_oscillation = register_jitable(model.log_oscillation)
    exponent_and_gradient = register_jitable(model.exponent_and_gradient)
    from_coordinates = register_jitable(model.parameters_from_coordinates)
    n_parameters = len(model.parameters())

    def iterate(state: Any, weighting: Any, rule: Any) -> int:
        for _ in range(_AT_A_TIME):
            code = propose(state)
            if code != EVALUATE:
                return code
            stepped = np.stack(from_coordinates(_with_complex_steps(state.trial.point)))
            parameters = to_fixed_tuple(stepped[:, 0].real, n_parameters)
            sector = half_angle(rule.years[-1], *parameters)
            if not (rule.sectors[0] <= sector < rule.sectors[1]):
                return EVALUATE
            at_nodes = (
                *exponent_and_gradient(rule.frequencies, *parameters),
                log_oscillation(rule.frequencies, *parameters),
            )
            if not _set_residuals(state.trial, stepped, at_nodes, weighting, rule):
                return EVALUATE
            code = judge(state)
            if code != RUNNING:
                return code
        return RUNNING

    return compiled_in_order_without_lock(iterate, cache=_is_of_this_package(model))


def _is_of_this_package(model: type[Model]) -> bool:
    """Return whether the cache of machine code notices changes of the model's sources."""
    return model.__module__.split(".")[0] == __name__.split(".")[0]


@compiled
def _with_complex_steps(point: np.ndarray) -> np.ndarray:
    """Return the point with a step into the complex plane along each variable, shape (n, n)."""
    stepped = np.empty((len(point), len(point)), dtype=np.complex128)
    for i in range(len(point)):
        for j in range(len(point)):
            stepped[i, j] = complex(point[i], COMPLEX_STEP if i == j else 0.0)
    return stepped


@compiled
def _of_maturities(log_oscillation: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Add log T, without the last frequency; shape (1, n_maturities, n), or (0, 0, 0) for none."""
    n = len(log_oscillation) - 1
    of_maturities = np.empty((int(n > 0), len(years), max(n, 0)), dtype=np.complex128)
    for rows in of_maturities:
        for i in range(len(years)):
            for k in range(n):
                rows[i, k] = log_oscillation[k] + math.log(years[i])
    return of_maturities


@compiled
def _set_residuals(
    trial: Iterate,
    stepped: np.ndarray,
    at_nodes: tuple[np.ndarray, np.ndarray, np.ndarray],
    weighting: WeightingArrays,
    rule: KernelRule,
) -> bool:
    """Set residuals and Jacobian of a trial; return false where the rule does not suffice.

    A price that overflows (NaN) is left to `SinhPricer`, which replaces it.

    Parameters
    ----------
    trial : Iterate
    stepped : ndarray of complex, shape (n_parameters, n)
        Parameters, a complex step off along each variable.
    at_nodes : tuple of ndarray
        ψ, its gradient in the parameters, and the log of its oscillating part, of length zero if
        there is none, at the rule's frequencies.
    """
    exponent, gradient, log_oscillation = at_nodes
    at_minus_i = exponent[-1].real
    if not math.isfinite(at_minus_i):
        return False
    factors = np.empty((len(stepped), len(exponent)), dtype=np.complex128)
    magnitude = np.empty(len(rule.probes))
    parameters = stepped[:, 0].real.copy()
    set_rows(factors, magnitude, gradient, parameters, rule.frequencies, rule.probes)
    drift = (-at_minus_i * rule.years).reshape(1, -1)
    rows = (
        exponent.reshape(1, 1, -1),
        factors.reshape(len(stepped), 1, 1, -1),
        magnitude.reshape(1, 1, -1),
        rule.years,
        drift,
        _of_maturities(log_oscillation, rule.years),
    )
    covered, error, terms, _, excess = fourier_sums(
        rule.options, rule.phases, rule.contour, rule.numbers, rows
    )
    if not (excess[0] <= 1.0 and excess[1] <= TRUNCATION_SHARE):
        return False
    prices, _ = present_values(
        covered.reshape(1, -1), error.reshape(1, -1), rule.position, rule.contracts
    )
    for price in prices[0]:
        if math.isnan(price):
            return False
    trial.values[:] = prices[0]
    set_weighted_errors(trial.residuals, trial.residual_derivative, prices[0], weighting)
    strike_value, by_parameter = rule.contracts[1], terms.reshape(len(stepped), -1)
    trial.by_variable[:] = 0.0
    for k in range(len(stepped)):
        for i in range(len(trial.values)):
            by_price = -strike_value[i] * by_parameter[k, rule.position[i]]
            residual = by_price * trial.residual_derivative[i]
            for j in range(len(trial.point)):
                trial.by_variable[j, i] += stepped[k, j].imag / COMPLEX_STEP * residual
    return True
