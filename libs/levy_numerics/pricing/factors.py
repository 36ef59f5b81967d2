"""What the integrand is multiplied by, so that the sums that give prices give derivatives too."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from levy_numerics.models.base import Model


@dataclass(frozen=True)
class Factors:
    """What multiplies the integrand, so that its sums are derivatives of the value.

    Attributes
    ----------
    values : callable, optional
        (model, ξ, T) ↦ log φ_T(ξ) and factors, stacked on a new first axis; none unless given.
        The last ξ is −i, where log φ_T says how the forward changes.
    at_poles : tuple of pairs of float
        Each factor's value at the payoff's poles ξ = 0 and ξ = −i, by which the poles' share of
        the rule's error is multiplied; empty if all vanish there, as they do where a parameter
        changes neither the mass of the distribution nor its forward.
    order : int
        Highest power of ξ with which a factor grows, if sums are to be cut where it has died.
    grow_with_time : bool
        Whether factors of a model with stationary increments are proportional to T.
    """

    values: Callable[[Model, Any, Any], tuple[Any, Any]] | None = None
    at_poles: tuple[tuple[float, float], ...] = ()
    order: int = 0
    grow_with_time: bool = False


def with_drift(by_nodes: Any, nodes: Any) -> Any:
    """Derivative of log φ_T(ξ) + iξω_T from that of log φ_T(ξ); the last of the nodes is −i."""
    return by_nodes - 1j * nodes * by_nodes[..., -1:].real


def parameter_factors(model: Model, nodes: Any, years: Any) -> tuple[Any, Any]:
    """log φ_T(ξ), and ∂ log(φ_T(ξ)·exp(iξω_T))/∂ each parameter; the last of the nodes is −i."""
    log_cf, gradient = model.log_cf_with_gradient(nodes, years)
    return log_cf, with_drift(gradient, nodes)


NO_FACTORS: Final = Factors(grow_with_time=True)
BY_PARAMETER: Final = Factors(parameter_factors, grow_with_time=True)
