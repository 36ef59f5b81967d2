"""The loops of `sinh_single`, which says what they are for."""

import math
from typing import Final

import numpy as np

from levy_numerics.compiling import compiled, compiled_in_order
from levy_numerics.pricing.contour import SAFETY
from levy_numerics.pricing.sinh_sums import INSIGNIFICANT, LARGEST_EXPONENT
from levy_numerics.special import cos_and_sin

_NEGLIGIBLE: Final = -52.0
"""Logarithm of what adds nothing to sums of about one, nor to their derivatives."""
_LOWEST_EXPONENT: Final = -700.0
_cos_and_sin: Final = compiled_in_order(cos_and_sin)
_Arrays = tuple[np.ndarray, ...]
_Numbers = tuple[float, ...]


@compiled
def sum_up(
    contracts: _Arrays,
    table: _Arrays,
    contour: _Arrays,
    rule: _Numbers,
    integrand: _Arrays,
    each: _Arrays,
    ripples: _Arrays,
) -> _Arrays:
    """Values, errors and derivatives; waves that they need and that are not there yet are made.

    Parameters
    ----------
    contracts : tuple
        x, whether there is a contract, F/K; shape (n_maturities, n_columns).
    table : tuple
        Its drift, waves, and what is known of them; see `sinh_single.LazyTable`.
    contour : tuple
        Nodes and log weights, shape (2, 2, n_nodes / 2), and indices of the probes among them.
    rule : tuple
        Share of the poles in the errors of the rules with steps h and 2h; the error that the rule
        has in any case, and its rate; 1 − exp(−h); the largest |Im ξ|.
    integrand : tuple
        log φ_T, shape (n_maturities or one, 2·n_nodes + 1), and factors, (n_terms, …).
    each : tuple
        Of each maturity: what the integrand's row is multiplied by; the drift.
    ripples : tuple
        How far the integrand stands below its envelope, and what nodes may hide; or nothing.

    Returns
    -------
    tuple
        Values and errors, shape (n_maturities, n_columns), and derivatives, (n_terms, …). Where the
        table does not reach, errors are infinite.
    """
    (origin, waves, known), (nodes, log_weights, probes), (rises, unseen) = table, contour, ripples
    (log_cf, by_factor), (times, drift), (x, occupied, _) = integrand, each, contracts
    value, error = np.full(x.shape, np.nan), np.full(x.shape, np.inf)
    terms, shift = np.zeros((len(by_factor), *x.shape)), drift - origin
    if not np.max(np.abs(shift)) * rule[5] <= LARGEST_EXPONENT:
        return value, error, terms
    shape = (len(terms) + 1, *nodes.shape)
    real, imaginary = np.empty(shape), np.empty(shape)
    logs, envelope = np.empty(nodes.shape, dtype=np.complex128), np.empty(nodes.shape)
    ends, needed = np.zeros(x.shape[1], dtype=np.int64), np.zeros(2, dtype=np.int64)
    for i in range(len(x)):
        row = i if len(log_cf) > 1 else 0
        _log_amplitudes(logs, envelope, nodes, log_weights, log_cf[row], times[i], shift[i])
        if len(rises):
            envelope += rises[i]
        needed[:] = 0
        for j in range(x.shape[1]):
            if occupied[i, j]:
                wing = _wing(nodes, probes, envelope, x[i, j])
                ends[j] = _end(nodes[wing], envelope[wing], x[i, j])
                needed[wing] = max(needed[wing], ends[j])
                _extend(waves[i, j], known[i, j], nodes[wing], wing, ends[j], x[i, j])
        _amplitudes(real, imaginary, needed, logs, by_factor[:, row], times[i])
        found = value, error, terms
        largest = _sums(i, contracts, (waves, known), ends, real, imaginary, rule, found)
        observed = largest * (SAFETY * largest + rule[3]) + rule[2]
        _errors(i, contracts, (waves, known), nodes, envelope, unseen, observed, rule[4], error)
    return value, error, terms


@compiled
def _sums(
    i: int,
    contracts: _Arrays,
    table: _Arrays,
    ends: np.ndarray,
    real: np.ndarray,
    imaginary: np.ndarray,
    rule: _Numbers,
    found: _Arrays,
) -> float:
    """Values and derivatives of a maturity; the largest difference of the rules with h and 2h."""
    _, occupied, ratio = contracts
    waves, known = table
    value, _, terms = found
    largest = 0.0
    for j in range(len(ends)):
        value[i, j] = 0.0
        if not occupied[i, j]:
            continue
        wing, poles = known[i, j, 0], 1.0 + ratio[i, j]
        even = _dot(waves[i, j, 0], real[0, wing, 0], imaginary[0, wing, 0], ends[j])
        odd = _dot(waves[i, j, 1], real[0, wing, 1], imaginary[0, wing, 1], ends[j])
        value[i, j] = even + odd - rule[0] * poles
        largest = max(largest, abs((odd - even) / poles + rule[1] - rule[0]))
        for k in range(len(terms)):
            for parity in range(2):
                amplitudes = real[k + 1, wing, parity], imaginary[k + 1, wing, parity]
                terms[k, i, j] += _dot(waves[i, j, parity], *amplitudes, ends[j])
    return largest


@compiled
def _errors(
    i: int,
    contracts: _Arrays,
    table: _Arrays,
    nodes: np.ndarray,
    envelope: np.ndarray,
    unseen: np.ndarray,
    observed: float,
    decay: float,
    error: np.ndarray,
) -> None:
    """Errors of a maturity: of the rule, of what lies beyond its end, of what nodes may hide."""
    x, occupied, ratio = contracts
    for j in range(x.shape[1]):
        error[i, j] = 0.0
        if occupied[i, j]:
            wing = table[1][i, j, 0]
            last = envelope[wing, 1, -1] - nodes[wing, 1, -1].imag * x[i, j]
            error[i, j] = observed * (1.0 + ratio[i, j]) + math.exp(min(last, 0.0)) / decay
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
    time: float,
    shift: float,
) -> None:
    """Logarithm of the integrand without its wave, and how large that is."""
    n = nodes.shape[2]
    for wing in range(2):
        for parity in range(2):
            first = (2 * wing + parity) * n
            for k in range(n):
                turned = complex(-nodes[wing, parity, k].imag, nodes[wing, parity, k].real) * shift
                found = time * log_cf[first + k] + turned + log_weights[wing, parity, k]
                logs[wing, parity, k] = found
                envelope[wing, parity, k] = found.real


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
        cosine, sine = wave[parity, 0], wave[parity, 1]
        for k in range(known[1], end):
            cosine[k] = _bounded_exp(-nodes[parity, k].imag * x)
        for k in range(known[1], end):
            along, across = _cos_and_sin(nodes[parity, k].real * x)
            sine[k] = cosine[k] * across
            cosine[k] *= along
    known[1] = max(known[1], end)


@compiled
def _amplitudes(
    real: np.ndarray,
    imaginary: np.ndarray,
    needed: np.ndarray,
    logs: np.ndarray,
    by_factor: np.ndarray,
    time: float,
) -> None:
    """Terms of one maturity at the nodes that count, without the waves."""
    n = logs.shape[2]
    for wing in range(2):
        for parity in range(2):
            first = (2 * wing + parity) * n
            log = logs[wing, parity]
            along, across = real[0, wing, parity], imaginary[0, wing, parity]
            for k in range(needed[wing]):
                along[k] = _bounded_exp(log[k].real)
            for k in range(needed[wing]):
                cosine, sine = _cos_and_sin(log[k].imag)
                across[k] = along[k] * sine
                along[k] *= cosine
            for term in range(1, len(real)):
                factor = by_factor[term - 1]
                x, y = real[term, wing, parity], imaginary[term, wing, parity]
                for k in range(needed[wing]):
                    by = time * factor[first + k]
                    x[k] = by.real * along[k] - by.imag * across[k]
                    y[k] = by.real * across[k] + by.imag * along[k]


@compiled
def _bounded_exp(exponent: float) -> float:
    """exp of an exponent cut at the largest; zero below the lowest: large waves would raise it."""
    if exponent < _LOWEST_EXPONENT:
        return 0.0
    return math.exp(min(exponent, LARGEST_EXPONENT))


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


@compiled
def reached(
    level: np.ndarray, nodes: np.ndarray, x: np.ndarray, occupied: np.ndarray, mean: np.ndarray
) -> int:
    """Last node at which the integrand counts, for contracts nearest to 0 and to −mean."""
    last = 0
    for i in range(len(x)):
        for target in (0.0, -mean[i]):
            nearest, distance = 0.0, np.inf
            for j in range(x.shape[1]):
                if occupied[i, j] and abs(x[i, j] - target) < distance:
                    nearest, distance = x[i, j], abs(x[i, j] - target)
            last = max(last, _reached_by_one(level[i], nodes, nearest))
    return last


@compiled
def _reached_by_one(level: np.ndarray, nodes: np.ndarray, x: float) -> int:
    areas, last = np.zeros(2), np.zeros(2, dtype=np.int64)
    for wing in range(2):
        for parity in range(2):
            for k in range(nodes.shape[2]):
                above = level[wing, parity, k] - nodes[wing, parity, k].imag * x
                if above > 0.0:
                    areas[wing] += above
                    last[wing] = max(last[wing], 2 * k + parity)
    return int(last[0] if areas[0] <= areas[1] else last[1])
