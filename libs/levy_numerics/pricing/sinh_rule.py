"""Quadrature rules on a sinh contour, and the sums of the kernel on them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from levy_numerics.market import MaturityTable
from levy_numerics.models.base import Model
from levy_numerics.pricing.integrand_factors import Integrand, IntegrandFactors
from levy_numerics.pricing.sinh_contour import Contour, phase_factors, sinh_contour
from levy_numerics.pricing.sinh_kernel import fourier_sums

_GROWTH: Final = 1.25
# The integrand decays at least like the payoff, exp(−y), and exp(−40) is below any tolerance.
MAX_LENGTH: Final = 40.0
# Multiples of 8 nodes fill the processor's vector registers with nodes of either parity.
_NODE_MULTIPLE: Final = 8
# Fraction of the tolerance that truncation may use before nodes are added.
TRUNCATION_SHARE: Final = 0.3
_NO_PHASES: Final = np.empty((0, 0, 2, 2, 2, 0))


@dataclass(frozen=True)
class Sums:
    """E[min(S_T, K)]/K of S parameter sets, by maturity.

    Attributes
    ----------
    value, error : ndarray, shape (S, n_maturities, n_columns)
    terms : ndarray, shape (n_terms, S, n_maturities, n_columns)
    excess : ndarray, shape (2, S, n_maturities)
        Ratios to the allowed error: of the errors that finer steps or more nodes reduce, and of
        truncation alone.
    drift : ndarray, shape (S, n_maturities)
        ω_T; NaN if E[S_T] is infinite.
    largest : tuple of float
        Maxima of both kinds of excess at the first evaluation.
    """

    value: np.ndarray
    error: np.ndarray
    terms: np.ndarray
    excess: np.ndarray
    drift: np.ndarray
    largest: tuple[float, float]

    def improve(self, sets: np.ndarray, rows: np.ndarray, part: "Sums") -> None:
        """Replace sums of some sets and rows by those of `part` whose error is smaller."""
        at = np.ix_(sets, rows)
        better = ~(part.error > self.error[at])
        for whole, new in ((self.value, part.value), *zip(self.terms, part.terms, strict=True)):
            whole[at] = np.where(better, new, whole[at])
        self.error[at] = np.where(better, part.error, self.error[at])
        for whole, new in zip(self.excess, part.excess, strict=True):
            whole[at] = np.fmin(new, whole[at])


@dataclass(frozen=True)
class Rule:
    """Quadrature rule: a contour, and phase factors for one arrangement of contracts.

    Attributes
    ----------
    contour : Contour
    phases : ndarray
        Of length zero if they are not tabulated.
    """

    contour: Contour
    phases: np.ndarray = field(default_factory=lambda: _NO_PHASES)

    @classmethod
    def of_length(cls, tilt: float, step: float, margin: float | None, length: float) -> "Rule":
        """Return a rule whose last node has y of at least `length`."""
        n_nodes = _NODE_MULTIPLE * math.ceil(length / (step * _NODE_MULTIPLE))
        return cls(sinh_contour(tilt, step, n_nodes, margin))

    @property
    def length(self) -> float:
        """y of the last node."""
        return self.contour.step * self.contour.n_nodes

    def tabulated(self, layout: MaturityTable) -> "Rule":
        """Return the same rule with phase factors."""
        nodes = self.contour.xi_real, self.contour.xi_imag
        return Rule(self.contour, phase_factors(layout.log_moneyness, *nodes))

    def sums(
        self, layout: MaturityTable, allowed: np.ndarray, model: Model, factors: IntegrandFactors
    ) -> Sums:
        """Evaluate parameter sets, given the allowed error of each option."""
        contour = self.contour
        integrand = Integrand.of(model, contour, layout.maturity_years, factors)
        ratio = layout.forward_ratio
        *sums, largest = fourier_sums(
            (layout.log_moneyness, ratio, allowed),
            self.phases,
            contour.nodes_for_kernel,
            (*contour.rule_for_kernel, float(factors.order)),
            integrand.arrays,
        )
        value, error, terms, excess = sums
        # The kernel subtracts the poles' share of the rule's error from the value only.
        for term, (at_zero, at_minus_i) in zip(terms, factors.at_poles, strict=False):
            term -= contour.pole_error * (at_zero + at_minus_i * ratio)
        return Sums(value, error, terms, excess, integrand.drift, largest)


def sums_to_convergence(
    rule: Callable[[float], Rule],
    length: float,
    layout: MaturityTable,
    allowed: np.ndarray,
    model: Model,
    factors: IntegrandFactors,
) -> Sums:
    """Evaluate sums with enough nodes for the integrand to decay.

    Parameters
    ----------
    rule : callable
        Returns the rule for a given y of the last node.
    length : float
        The first y.
    allowed : ndarray, shape (n_maturities, n_columns)
    """
    sums = rule(length).sums(layout, allowed, model, factors)
    if not sums.largest[1] > TRUNCATION_SHARE:
        return sums
    rows = np.arange(len(allowed))
    while length < MAX_LENGTH:
        sets = np.flatnonzero((sums.excess[1] > TRUNCATION_SHARE).any(axis=1))
        if not sets.size:
            break
        length *= _GROWTH
        truncated = model.select(sets) if model.is_batch else model
        sums.improve(sets, rows, rule(length).sums(layout, allowed, truncated, factors))
    return sums
