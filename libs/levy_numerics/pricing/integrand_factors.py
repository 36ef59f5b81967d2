"""Terms of the pricing integrand: log φ_T, and factors that give derivatives of prices."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from levy_numerics.jit import compiled_in_order
from levy_numerics.models.base import Model
from levy_numerics.models.compiled import evaluate_formula
from levy_numerics.models.numba_model import NumbaModel
from levy_numerics.pricing.sinh_contour import Contour

_ONE_YEAR: Final = np.ones((1, 1))
_NOT_OSCILLATING: Final = np.empty((0, 0, 0), dtype=complex)


@dataclass(frozen=True)
class IntegrandFactors:
    """Factors of the integrand with which the sums are derivatives of the price.

    Attributes
    ----------
    by_parameter : bool
        Whether there is a factor for each model parameter, after the others.
    others : callable, optional
        (model, ξ, T) ↦ further factors, stacked on a new first axis; the last ξ is −i.
    at_poles : tuple of pairs of float
        Value of each factor at the poles of the payoff, ξ = 0 and ξ = −i, which multiplies the
        poles' contribution to the error of the rule. Empty if all are zero, as for parameters:
        they change neither the mass of the distribution nor the forward.
    order : int
        Highest power of ξ with which a factor grows.
    """

    by_parameter: bool = False
    others: Callable[[Model, np.ndarray, np.ndarray], np.ndarray] | None = None
    at_poles: tuple[tuple[float, float], ...] = ()
    order: int = 0


VALUE_ONLY: Final = IntegrandFactors()
BY_PARAMETER: Final = IntegrandFactors(by_parameter=True)


@dataclass(frozen=True)
class Integrand:
    """The integrand of S parameter sets at the nodes of a contour and at −i (last).

    Attributes
    ----------
    log_cf : ndarray, shape (S, n_rows, n_nodes)
        log φ_T of each maturity; only log φ₁ (one row) if increments are stationary.
    factors : ndarray, shape (n_terms, S, n_rows, n_nodes)
    magnitude : ndarray, shape (S, n_rows, n_probes)
        Σ|p·∂ log φ_T/∂p| over the parameters p at the probes of the contour: the size of the terms
        of log φ_T, to which its rounding error is proportional.
    years : ndarray, shape (n_maturities,)
        Factor of the row of each maturity.
    drift : ndarray, shape (S, n_maturities)
        ω_T; NaN if E[S_T] is infinite.
    log_oscillation : ndarray, shape (S, n_maturities, n_nodes − 1)
        `Model.log_oscillating_part`; of length zero if there is none.
    """

    log_cf: np.ndarray
    factors: np.ndarray
    magnitude: np.ndarray
    years: np.ndarray
    drift: np.ndarray
    log_oscillation: np.ndarray

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """All fields in order, as `sinh_kernel` takes them."""
        rows = self.log_cf, self.factors, self.magnitude
        return *rows, self.years, self.drift, self.log_oscillation

    @classmethod
    def of(
        cls,
        model: Model,
        contour: Contour,
        years: np.ndarray,
        factors: IntegrandFactors = VALUE_ONLY,
    ) -> "Integrand":
        """Evaluate a model, whose fields are numbers or arrays of shape (S,)."""
        # Further factors, such as ∂ log φ_T/∂T, are not proportional to T.
        has_one_row = model.has_stationary_increments and factors.others is None
        times = years if has_one_row else np.ones_like(years)
        if has_one_row and isinstance(model, NumbaModel):
            rows = _compiled_rows(model, contour, by_parameter=factors.by_parameter)
        else:
            row_years = _ONE_YEAR if has_one_row else years[:, None]
            rows = _array_rows(model, contour, row_years, factors)
        log_cf, by_factor, magnitude = rows
        exists = model.expanded(1).forward_exists(years)
        drift = np.where(exists, -times * log_cf[:, :, -1].real, np.nan)
        log_oscillation = model.expanded(2).log_oscillating_part(
            contour.frequencies[:-1], years[:, None]
        )
        if log_oscillation is None:
            log_oscillation = _NOT_OSCILLATING
        elif log_oscillation.ndim == 2:  # one parameter set
            log_oscillation = log_oscillation[None]
        return cls(log_cf, by_factor, magnitude, times, drift, log_oscillation)


def with_drift(by_nodes: Any, nodes: Any) -> Any:
    """Return the derivative of log φ_T(ξ) + iξω_T from that of log φ_T(ξ); the last node is −i."""
    return by_nodes - 1j * nodes * by_nodes[..., -1:].real


def _array_rows(
    model: Model, contour: Contour, years: np.ndarray, factors: IntegrandFactors
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log φ_T, factors and magnitude by the array formulas of a model, all sets at once."""
    nodes, expanded = contour.frequencies, model.expanded(2)
    if factors.by_parameter:
        log_cf, gradient = expanded.log_cf_with_gradient(nodes, years)
        by_factor = with_drift(gradient, nodes)
        at_probes = gradient[..., contour.probe_positions]
    else:
        log_cf = expanded.log_cf(nodes, years)
        at_probes = expanded.log_cf_gradient(contour.probe_frequencies, years)
        by_factor = log_cf[None][:0]
    if factors.others is not None:
        others = factors.others(model, nodes, years)
        by_factor = np.concatenate([others, by_factor])
    sizes = [np.abs(value) for value in expanded.as_mapping().values()]
    magnitude = sum(size * np.abs(row) for size, row in zip(sizes, at_probes, strict=True))
    if log_cf.ndim == 2:  # one parameter set
        log_cf, by_factor, magnitude = log_cf[None], by_factor[:, None], magnitude[None]
    return np.ascontiguousarray(log_cf), np.ascontiguousarray(by_factor), np.asarray(magnitude)


def _compiled_rows(
    model: NumbaModel, contour: Contour, *, by_parameter: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log φ₁, factors and magnitude by compiled formulas, one set after another."""
    nodes, probes = contour.frequencies, contour.probe_positions
    values = tuple(model.as_mapping().values())
    if any(getattr(value, "ndim", 0) for value in values):
        sets = np.stack(np.broadcast_arrays(*values), axis=-1)
    else:
        sets = np.array([values], dtype=float)
    n_sets, n_parameters = sets.shape
    log_cf = np.empty((n_sets, 1, nodes.size), dtype=complex)
    factors = np.empty((n_parameters if by_parameter else 0, *log_cf.shape), dtype=complex)
    magnitude = np.empty((n_sets, 1, probes.size))
    for s in range(n_sets):
        exponent, gradient = evaluate_formula(type(model), nodes, sets[s].tolist())
        log_cf[s, 0] = exponent
        # Contiguous, as in compiled callers: Numba would compile another version for a view.
        of_set = np.empty((len(factors), nodes.size), dtype=complex)
        set_rows(of_set, magnitude[s, 0], gradient, sets[s], nodes, probes)
        factors[:, s, 0] = of_set
    return log_cf, factors, magnitude


@compiled_in_order
def set_rows(
    factors: np.ndarray,
    magnitude: np.ndarray,
    gradient: np.ndarray,
    parameters: np.ndarray,
    nodes: np.ndarray,
    probes: np.ndarray,
) -> None:
    """Set the factors of one parameter set, as `with_drift` does, and its magnitude."""
    for j in range(len(factors)):
        at_minus_i = gradient[j, -1].real
        for k in range(len(nodes)):
            factors[j, k] = gradient[j, k] - 1j * nodes[k] * at_minus_i
    for p in range(len(probes)):
        magnitude[p] = 0.0
        for j in range(len(gradient)):
            magnitude[p] += abs(parameters[j] * gradient[j, probes[p]])
