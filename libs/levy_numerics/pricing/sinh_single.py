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
from levy_numerics.models.base import Model
from levy_numerics.pricing.contour import SAFETY, Contour
from levy_numerics.pricing.ripples import hidden, rise
from levy_numerics.pricing.sinh_sums import (
    INSIGNIFICANT,
    LARGEST_EXPONENT,
    NO_FACTORS,
    ROUNDING,
    Covered,
    Factors,
    at_poles,
)

_NEGLIGIBLE: Final = -52.0
"""Logarithm of what adds nothing to sums of about one, nor to their derivatives."""
_LOWEST_EXPONENT: Final = -700.0
_Arrays = tuple[np.ndarray, ...]
_NO_RIPPLES: Final = np.empty((0, 0, 0, 0))


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
    """

    contour: Contour
    maturity_years: np.ndarray
    x: np.ndarray
    occupied: np.ndarray
    forward_ratio: np.ndarray
    origin: np.ndarray
    waves: np.ndarray
    known: np.ndarray

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
        contour, years = self.contour, self.maturity_years[:, None]
        if factors.values is None:
            log_cf, n_terms = model.log_cf(contour.frequencies, years), 0
            by_factor = log_cf[None]
        else:
            log_cf, by_factor = factors.values(model, contour.frequencies, years)
            n_terms = len(by_factor)
        drift = np.where(model.forward_exists(years), -log_cf[:, -1:].real, np.nan)[:, 0]
        shape = self.x.shape
        value, error = np.full(shape, np.nan), np.full(shape, np.inf)
        terms = np.zeros((n_terms, *shape))
        shift = drift - self.origin
        if self.reaches(drift):
            _sum_up(
                (self.x, self.occupied, self.forward_ratio),
                (self.waves, self.known),
                (contour.nodes, contour.log_weights, contour.probe_indices),
                (contour.pole_error, contour.coarse_pole_error),
                (contour.usual_rate, contour.usual_error + ROUNDING, -math.expm1(-contour.step)),
                (np.ascontiguousarray(log_cf), np.ascontiguousarray(by_factor), shift),
                _ripples(model, contour, years, log_cf, shift),
                (value, error, terms),
            )
        if factors.at_poles:
            terms -= contour.pole_error * at_poles(self.forward_ratio, factors)
        return Covered(value, error, terms, drift)


def _ripples(
    model: Model, contour: Contour, years: np.ndarray, log_cf: np.ndarray, shift: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How far terms stand below their envelope, and what nodes may hide of it.

    Both of shape (n_maturities, 2, 2, n_nodes / 2), or empty where the model has no ripples.
    """
    log_ripple = model.log_ripple(contour.frequencies[:-1], years)
    if log_ripple is None:
        return _NO_RIPPLES, _NO_RIPPLES
    each = (-1, *contour.nodes.shape)
    size = (log_cf[:, :-1] + contour.turned * shift[:, None] + contour.flat_log_weights).real
    rises = rise(log_ripple).reshape(each)
    return rises, hidden(log_ripple.reshape(each), size.reshape(each) + rises)


@compiled
def _sum_up(
    contracts: _Arrays,
    table: _Arrays,
    contour: _Arrays,
    poles: tuple[float, float],
    rule: tuple[float, float, float],
    integrand: _Arrays,
    ripples: _Arrays,
    found: _Arrays,
) -> None:
    """Fill in values, errors and terms, and whatever waves they need; maturity by maturity."""
    x, occupied, ratio = contracts
    waves, known = table
    nodes, log_weights, probes = contour
    log_cf, by_factor, shift = integrand
    rises, unseen = ripples
    value, error, terms = found
    n_terms, n_rows, n_columns = terms.shape
    logs = np.empty(nodes.shape, dtype=np.complex128)
    envelope = np.empty(nodes.shape)
    real = np.empty((n_terms + 1, *nodes.shape))
    imaginary = np.empty((n_terms + 1, *nodes.shape))
    ends = np.zeros(n_columns, dtype=np.int64)
    for i in range(n_rows):
        _log_amplitudes(logs, envelope, nodes, log_weights, log_cf[i], shift[i])
        if len(rises):
            envelope += rises[i]
        needed = np.zeros(2, dtype=np.int64)
        for j in range(n_columns):
            if occupied[i, j]:
                wing = _wing(nodes, probes, envelope, x[i, j])
                ends[j] = _end(nodes[wing], envelope[wing], x[i, j])
                needed[wing] = max(needed[wing], ends[j])
                _extend(waves[i, j], known[i, j], nodes[wing], wing, ends[j], x[i, j])
        _amplitudes(real, imaginary, needed, logs, by_factor[:, i])
        largest = 0.0
        for j in range(n_columns):
            value[i, j] = error[i, j] = 0.0
            if not occupied[i, j]:
                continue
            wing, size = known[i, j, 0], 1.0 + ratio[i, j]
            even = _dot(waves[i, j, 0], real[0, wing, 0], imaginary[0, wing, 0], ends[j])
            odd = _dot(waves[i, j, 1], real[0, wing, 1], imaginary[0, wing, 1], ends[j])
            value[i, j] = even + odd - poles[0] * size
            largest = max(largest, abs(odd - even + (poles[1] - poles[0]) * size) / size)
            for k in range(n_terms):
                for parity in range(2):
                    terms[k, i, j] += _dot(
                        waves[i, j, parity],
                        real[k + 1, wing, parity],
                        imaginary[k + 1, wing, parity],
                        ends[j],
                    )
        observed = largest * (SAFETY * largest + rule[0]) + rule[1]
        for j in range(n_columns):
            if occupied[i, j]:
                wing = known[i, j, 0]
                last = envelope[wing, 1, -1] - nodes[wing, 1, -1].imag * x[i, j]
                error[i, j] = observed * (1.0 + ratio[i, j]) + math.exp(min(last, 0.0)) / rule[2]
                if len(unseen):
                    error[i, j] += _hidden(nodes[wing], unseen[i, wing], x[i, j])
                if not error[i, j] < np.inf:
                    error[i, j] = np.inf


@compiled
def _log_amplitudes(
    logs: np.ndarray,
    envelope: np.ndarray,
    nodes: np.ndarray,
    log_weights: np.ndarray,
    log_cf: np.ndarray,
    shift: float,
) -> None:
    """Logarithm of the integrand without its wave, and how large that is."""
    n = nodes.shape[2]
    for wing in range(2):
        for parity in range(2):
            first = (2 * wing + parity) * n
            for k in range(n):
                turned = complex(-nodes[wing, parity, k].imag, nodes[wing, parity, k].real) * shift
                logs[wing, parity, k] = log_cf[first + k] + turned + log_weights[wing, parity, k]
                envelope[wing, parity, k] = logs[wing, parity, k].real


@compiled
def _wing(nodes: np.ndarray, probes: np.ndarray, envelope: np.ndarray, x: float) -> int:
    """Wings up (0) or down (1): where less of the integrand stands above insignificance."""
    areas = np.zeros(2)
    for wing in range(2):
        for k in probes:
            above = envelope[wing, 1, k] - INSIGNIFICANT - nodes[wing, 1, k].imag * x
            areas[wing] += max(above, 0.0)
    return 0 if areas[0] <= areas[1] else 1


@compiled
def _end(nodes: np.ndarray, envelope: np.ndarray, x: float) -> int:
    """How many pairs of nodes of a wing count for a contract."""
    for k in range(nodes.shape[1] - 1, -1, -1):
        if not envelope[1, k] - nodes[1, k].imag * x < _NEGLIGIBLE:
            return k + 1
        if not envelope[0, k] - nodes[0, k].imag * x < _NEGLIGIBLE:
            return k + 1
    return 1


@compiled
def _extend(
    wave: np.ndarray, known: np.ndarray, nodes: np.ndarray, wing: int, end: int, x: float
) -> None:
    """Make a contract's waves up to an end, from the first if the wing is another than before."""
    if known[0] != wing:
        known[0], known[1] = wing, 0
    for parity in range(2):
        for k in range(known[1], end):
            node = nodes[parity, k]
            size = _bounded_exp(-node.imag * x)
            wave[parity, 0, k] = size * math.cos(node.real * x)
            wave[parity, 1, k] = size * math.sin(node.real * x)
    known[1] = max(known[1], end)


@compiled
def _amplitudes(
    real: np.ndarray,
    imaginary: np.ndarray,
    needed: np.ndarray,
    logs: np.ndarray,
    by_factor: np.ndarray,
) -> None:
    """Terms of one maturity at the nodes that count, without the waves."""
    n = logs.shape[2]
    for wing in range(2):
        for parity in range(2):
            first = (2 * wing + parity) * n
            for k in range(needed[wing]):
                z = logs[wing, parity, k]
                size = _bounded_exp(z.real)
                amplitude = complex(size * math.cos(z.imag), size * math.sin(z.imag))
                real[0, wing, parity, k] = amplitude.real
                imaginary[0, wing, parity, k] = amplitude.imag
                for term in range(1, len(real)):
                    product = amplitude * by_factor[term - 1, first + k]
                    real[term, wing, parity, k] = product.real
                    imaginary[term, wing, parity, k] = product.imag


@compiled
def _bounded_exp(exponent: float) -> float:
    """exp of an exponent cut at both ends of the floating-point range."""
    return math.exp(min(max(exponent, _LOWEST_EXPONENT), LARGEST_EXPONENT))


@compiled
def _dot(wave: np.ndarray, real: np.ndarray, imaginary: np.ndarray, end: int) -> float:
    """Re Σ amplitude·wave over nodes of one parity, up to an end."""
    cosine, sine = wave[0], wave[1]
    total = 0.0
    for k in range(end):
        total += real[k] * cosine[k] - imaginary[k] * sine[k]
    return total


@compiled
def _hidden(nodes: np.ndarray, unseen: np.ndarray, x: float) -> float:
    """Σ of what nodes may hide, on the scale of their waves."""
    total = 0.0
    for parity in range(2):
        for k in range(nodes.shape[1]):
            total += unseen[parity, k] * _bounded_exp(-nodes[parity, k].imag * x)
    return total
