"""The sums of `sinh_sums` for one parameter set after another, compiled by Numba.

A calibration prices one set, then a neighbour, a handful of times. Then the table of waves costs as
much as the sums that it serves; so here a wave is made when it first counts, on the wing that its
contract is on, and nodes are left out, contract by contract, once nothing there counts any more.
Contours and error estimates are those of `sinh_sums`, and so are the digits but for rounding. Many
sets at once, and what JAX traces, are better served there.
"""

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from levy_numerics.compiling import compiled
from levy_numerics.market import MaturityTable
from levy_numerics.models.base import LevyModel, Model
from levy_numerics.models.compilable import Compilable
from levy_numerics.models.compiled import exponent_with_gradient
from levy_numerics.pricing.contour import Contour, sinh_contour
from levy_numerics.pricing.factors import NO_FACTORS, Factors, parameter_factors, with_drift
from levy_numerics.pricing.ripples import rise
from levy_numerics.pricing.single_sums import SingleSums
from levy_numerics.pricing.sinh_loops import reached, sum_up
from levy_numerics.pricing.sinh_sums import (
    LARGEST_EXPONENT,
    NODE_BLOCK,
    ROUNDING,
    SCAN_NODES,
    SCAN_STEP,
    TRUNCATION,
    Covered,
    at_poles,
)

_NO_RIPPLE: Final = np.empty((0, 0), dtype=complex)
_ONE_YEAR: Final = np.ones((1, 1))


@dataclass(frozen=True)
class LazyTable:
    """exp(iξ(x + origin)) for contracts and nodes, as far as they have counted yet.

    Attributes
    ----------
    contour : Contour
    maturity_years : ndarray, shape (n_maturities,)
    x : ndarray, shape (n_maturities, n_columns)
        ln(F/K) + origin.
    occupied : ndarray of bool, shape (n_maturities, n_columns)
        Where there are contracts: elsewhere answers are zero.
    forward_ratio : ndarray, shape (n_maturities, n_columns)
        F/K.
    origin : ndarray, shape (n_maturities,)
        The drift ω_T about which the waves are made.
    waves : ndarray, shape (n_maturities, n_columns, 2, 2, n_nodes / 2)
        On even and odd nodes, real, then imaginary parts of one wing for each contract.
    known : ndarray of int, shape (n_maturities, n_columns, 2)
        Which wing that is, and how many of its even nodes are there.
    rule : tuple of float
        What `sum_up` is to know of the contour's rule.
    """

    contour: Contour
    maturity_years: np.ndarray
    x: np.ndarray
    occupied: np.ndarray
    forward_ratio: np.ndarray
    origin: np.ndarray
    waves: np.ndarray
    known: np.ndarray
    rule: tuple[float, ...]

    @classmethod
    def of(cls, contour: Contour, layout: MaturityTable, origin: np.ndarray) -> Self:
        """Prepare a table that knows no waves yet."""
        log_moneyness = layout.log_moneyness
        return cls(
            contour,
            layout.maturity_years,
            log_moneyness + origin[:, None],
            layout.occupied,
            np.exp(log_moneyness),
            origin,
            np.empty((*log_moneyness.shape, 2, 2, contour.nodes.shape[-1])),
            np.zeros((*log_moneyness.shape, 2), dtype=np.int64),
            _rule(contour),
        )

    def reaches(self, drift: np.ndarray) -> bool:
        """Whether all nodes count for sets of this drift."""
        farthest = float(np.max(np.abs(drift - self.origin)))
        return farthest * self.contour.reach <= LARGEST_EXPONENT

    def covered(self, model: Model, factors: Factors = NO_FACTORS) -> Covered:
        """E[min(S_T, K)]/K with its error, and its derivatives; as `sinh_sums.covered`.

        Parameters
        ----------
        model : Model
            Fields are numbers.

        Returns
        -------
        Covered
            Errors are infinite, and values no numbers, where there is no forward or the table does
            not reach; both are zero where there is no contract.
        """
        contour, years = self.contour, self.maturity_years
        told_years, times = _told(years, as_one=model.stationary and factors.grow_with_time)
        if factors.values is None:
            log_cf = model.log_cf(contour.frequencies, told_years)
            by_factor = log_cf[None][:0]
        else:
            log_cf, by_factor = factors.values(model, contour.frequencies, told_years)
        drift = _drift(model, told_years, times, log_cf)
        log_ripple = model.log_ripple(contour.frequencies[:-1], years[:, None])
        value, error, terms = sum_up(
            (self.x, self.occupied, self.forward_ratio),
            (self.origin, self.waves, self.known),
            (contour.turns, contour.heights, contour.log_weights, contour.probe_indices),
            self.rule,
            (np.ascontiguousarray(log_cf), np.ascontiguousarray(by_factor)),
            (times, drift),
            _NO_RIPPLE if log_ripple is None else log_ripple,
        )
        if factors.at_poles:
            terms -= contour.pole_error * at_poles(self.forward_ratio, factors)
        return Covered(value, error, terms, drift)


def _rule(contour: Contour) -> tuple[float, ...]:
    return (
        contour.pole_error,
        contour.coarse_pole_error,
        contour.usual_error + ROUNDING,
        contour.usual_rate,
        -math.expm1(-contour.step),
        contour.reach,
    )


def scan(
    model: Model,
    layout: MaturityTable,
    *,
    tolerance: float,
    step: float,
    tilt: float,
    order: int,
) -> tuple[np.ndarray, int]:
    """Drift of each maturity, and nodes for the most demanding; as `sinh_sums.node_count`.

    Parameters
    ----------
    model : Model
        Fields are numbers.

    Returns
    -------
    drift : ndarray, shape (n_maturities,)
        ω_T; NaN where there is no forward.
    n_nodes : int
    """
    contour, years = sinh_contour(tilt, SCAN_STEP, SCAN_NODES), layout.maturity_years
    told_years, times = _told(years, as_one=model.stationary)
    log_cf = _log_cf(model, contour.frequencies, told_years)
    drift = _drift(model, told_years, times, log_cf)
    level = times[:, None] * log_cf[:, :-1].real + contour.flat_log_weights.real
    if order:
        level += order * np.log(np.abs(contour.nodes.ravel()))
    log_ripple = model.log_ripple(contour.frequencies[:-1], years[:, None])
    if log_ripple is not None:
        level += rise(log_ripple)
    level -= math.log(TRUNCATION * tolerance * SCAN_STEP)
    mean = np.broadcast_to(model.cumulants(years)[0], drift.shape)
    x = layout.log_moneyness + drift[:, None]
    by_wing = level.reshape(-1, *contour.nodes.shape)
    last = reached(by_wing, contour.heights, x, layout.occupied, mean)
    return drift, NODE_BLOCK * max(1, math.ceil((last + 1) * SCAN_STEP / step / NODE_BLOCK))


def _told(years: np.ndarray, *, as_one: bool) -> tuple[np.ndarray, np.ndarray]:
    """Years for which to ask a model for rows, and by which to multiply these, for each maturity.

    One row serves all maturities where increments are stationary.
    """
    return (_ONE_YEAR, years) if as_one else (years[:, None], np.ones_like(years))


def _drift(
    model: Model, told_years: np.ndarray, times: np.ndarray, log_cf: np.ndarray
) -> np.ndarray:
    """ω_T of each maturity; NaN where there is no forward."""
    exists = np.asarray(model.forward_exists(told_years)).reshape(-1)
    return np.where(exists, -times * log_cf[:, -1].real, np.nan)


def _log_cf(model: Model, nodes: np.ndarray, years: np.ndarray) -> np.ndarray:
    """`Model.log_cf` of one parameter set, shape (n_maturities, n_nodes)."""
    if not isinstance(model, Compilable):
        return np.asarray(model.log_cf(nodes, years))
    # Compiled, the gradient beside it costs less than NumPy's exponent alone.
    return np.asarray(years * exponent_with_gradient(model, nodes)[0])


def _parameter_factors(
    model: Model, nodes: np.ndarray, years: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """As `factors.parameter_factors`."""
    if not isinstance(model, LevyModel):
        return parameter_factors(model, nodes, years)
    return _over_years(*exponent_with_gradient(model, nodes), nodes, years)


_with_drift: Final = compiled(with_drift)


@compiled
def _over_years(
    exponent: np.ndarray, gradient: np.ndarray, nodes: np.ndarray, years: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """log φ_T, shape (n_years, n_nodes), and the factors, (n_parameters, …)."""
    by_parameter = _with_drift(gradient, nodes)
    log_cf = np.empty((len(years), len(nodes)), dtype=np.complex128)
    factors = np.empty((len(gradient), *log_cf.shape), dtype=np.complex128)
    for i in range(len(years)):
        for node in range(len(nodes)):
            log_cf[i, node] = years[i, 0] * exponent[node]
            for k in range(len(gradient)):
                factors[k, i, node] = years[i, 0] * by_parameter[k, node]
    return log_cf, factors


LOOPS: Final = SingleSums(LazyTable.of, scan, Factors(_parameter_factors, grow_with_time=True))
