"""The loops of `sinh_single`, which says what they are for.

The innermost run over slices from their first entry to their last: where Numba cannot tell that an
index is not negative it asks each time, and compilers make no vector code of that.
"""

import math
from typing import Final

import numpy as np

from levy_numerics.compiling import compiled, compiled_in_order
from levy_numerics.exponential import exp
from levy_numerics.pricing.contour import SAFETY
from levy_numerics.pricing.ripples import LONGEST_STRIDE
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
    log_ripple: np.ndarray,
) -> _Arrays:
    """Values, errors and derivatives; waves that they need and that are not there yet are made.

    Parameters
    ----------
    contracts : tuple
        x, whether there is a contract, F/K; shape (n_maturities, n_columns).
    table : tuple
        Its drift, waves, and what is known of them; see `sinh_single.LazyTable`.
    contour : tuple
        Re ξ, Im ξ and log weights of the nodes, shape (2, 2, n_nodes / 2), and indices of the
        probes among them.
    rule : tuple
        Share of the poles in the errors of the rules with steps h and 2h; the error that the rule
        has in any case, and its rate; 1 − exp(−h); the largest |Im ξ|.
    integrand : tuple
        log φ_T, shape (n_maturities or one, 2·n_nodes + 1), and factors, (n_terms, …).
    each : tuple
        Of each maturity: what the integrand's row is multiplied by; the drift.
    log_ripple : ndarray, shape (n_maturities, 2·n_nodes)
        Of the integrand; empty where it has none.

    Returns
    -------
    tuple
        Values and errors, shape (n_maturities, n_columns), and derivatives, (n_terms, …). Where the
        table does not reach, errors are infinite.
    """
    (origin, waves, known), (turns, heights, log_weights, probes) = table, contour
    (log_cf, by_factor), (times, drift), (x, occupied, _) = integrand, each, contracts
    value, error = np.full(x.shape, np.nan), np.full(x.shape, np.inf)
    terms = np.zeros((len(by_factor), *x.shape))
    for i in range(len(x)):
        if not abs(drift[i] - origin[i]) * rule[5] <= LARGEST_EXPONENT:
            return value, error, terms
    shape = (len(terms) + 1, *heights.shape)
    real, imaginary = np.empty(shape), np.empty(shape)
    size, phase = np.empty(heights.shape), np.empty(heights.shape)
    unseen = np.empty(heights.shape if len(log_ripple) else (0, 0, 0))
    ends, needed = np.zeros(x.shape[1], dtype=np.int64), np.zeros(2, dtype=np.int64)
    for i in range(len(x)):
        row, shift = i if len(log_cf) > 1 else 0, drift[i] - origin[i]
        _log_amplitudes(size, phase, (turns, heights, log_weights), log_cf[row], times[i], shift)
        envelope = size
        if len(log_ripple):
            envelope = size.copy()
            _add_ripples(envelope, unseen, log_ripple[i])
        needed[:] = 0
        for j in range(x.shape[1]):
            if occupied[i, j]:
                wing = _wing(heights, probes, envelope, x[i, j])
                ends[j] = _end(heights, envelope, wing, x[i, j])
                needed[wing] = max(needed[wing], ends[j])
                if known[i, j, 0] != wing or known[i, j, 1] < ends[j]:
                    of_wing = turns[wing], heights[wing]
                    _extend(waves[i, j], known[i, j], of_wing, wing, ends[j], x[i, j])
        _amplitudes(real, imaginary, needed, (size, phase), by_factor[:, row], times[i])
        found = value, error, terms
        largest = _sums(i, contracts, (waves, known), ends, real, imaginary, rule, found)
        observed = largest * (SAFETY * largest + rule[3]) + rule[2]
        _errors(i, contracts, (waves, known), heights, envelope, unseen, observed, rule[4], error)
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
    largest, sums = 0.0, np.empty((2, len(real)))
    for j in range(len(ends)):
        value[i, j] = 0.0
        if not occupied[i, j]:
            continue
        wing, poles = known[i, j, 0], 1.0 + ratio[i, j]
        for parity in range(2):
            wave = waves[i, j, parity]
            for term in range(len(real)):
                x, y = real[term, wing, parity], imaginary[term, wing, parity]
                total = 0.0
                for k in range(ends[j]):
                    total += x[k] * wave[0, k] - y[k] * wave[1, k]
                sums[parity, term] = total
        even, odd = sums[0, 0], sums[1, 0]
        value[i, j] = even + odd - rule[0] * poles
        largest = max(largest, abs((odd - even) / poles + rule[1] - rule[0]))
        for k in range(len(terms)):
            terms[k, i, j] = sums[0, k + 1] + sums[1, k + 1]
    return largest


@compiled
def _errors(
    i: int,
    contracts: _Arrays,
    table: _Arrays,
    heights: np.ndarray,
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
            last = envelope[wing, 1, -1] - heights[wing, 1, -1] * x[i, j]
            error[i, j] = observed * (1.0 + ratio[i, j]) + math.exp(min(last, 0.0)) / decay
            if len(unseen):
                error[i, j] += _hidden(heights[wing], unseen[wing], x[i, j])
            if not error[i, j] < np.inf:
                error[i, j] = np.inf


@compiled
def _log_amplitudes(
    size: np.ndarray,
    phase: np.ndarray,
    contour: _Arrays,
    log_cf: np.ndarray,
    time: float,
    shift: float,
) -> None:
    """Logarithm of the integrand without its wave: real and imaginary parts."""
    turns, heights, log_weights = contour
    n = size.shape[2]
    for wing in range(2):
        for parity in range(2):
            first = (2 * wing + parity) * n
            here, weight = log_cf[first : first + n], log_weights[wing, parity]
            turn, height = turns[wing, parity], heights[wing, parity]
            into, angle = size[wing, parity], phase[wing, parity]
            for k in range(n):
                into[k] = time * here[k].real - height[k] * shift + weight[k].real
                angle[k] = time * here[k].imag + turn[k] * shift + weight[k].imag


@compiled
def _add_ripples(envelope: np.ndarray, unseen: np.ndarray, log_ripple: np.ndarray) -> None:
    """Raise what is the size of a maturity's terms to their envelope; tell what nodes may hide.

    As `ripples.rise` and `ripples.hidden`.
    """
    n = envelope.shape[2]
    for wing in range(2):
        first = 2 * wing * n
        even, odd = log_ripple[first : first + n], log_ripple[first + n : first + 2 * n]
        for parity in range(2):
            here = odd if parity else even
            for k in range(n):
                size, (_, sine) = _bounded_exp(here[k].real), _cos_and_sin(0.5 * here[k].imag)
                envelope[wing, parity, k] += 2.0 * size * sine * sine
                stride, hides = abs(odd[k].imag - even[k].imag), 0.0
                if not stride * math.sqrt(1.0 + size) <= LONGEST_STRIDE:
                    hides = -math.expm1(-2.0 * size) * _bounded_exp(envelope[wing, parity, k])
                unseen[wing, parity, k] = hides


@compiled
def _wing(heights: np.ndarray, probes: np.ndarray, envelope: np.ndarray, x: float) -> int:
    """Wings up (0) or down (1): where less of the integrand stands above insignificance."""
    up, down = 0.0, 0.0
    for k in probes:
        up += max(envelope[0, 1, k] - INSIGNIFICANT - heights[0, 1, k] * x, 0.0)
        down += max(envelope[1, 1, k] - INSIGNIFICANT - heights[1, 1, k] * x, 0.0)
    return 0 if up <= down else 1


@compiled
def _end(heights: np.ndarray, envelope: np.ndarray, wing: int, x: float) -> int:
    """How many pairs of nodes of a wing count for a contract."""
    for k in range(heights.shape[2] - 1, -1, -1):
        for parity in range(2):
            if not envelope[wing, parity, k] - heights[wing, parity, k] * x < _NEGLIGIBLE:
                return k + 1
    return 1


@compiled
def _extend(
    wave: np.ndarray, known: np.ndarray, nodes: _Arrays, wing: int, end: int, x: float
) -> None:
    """Make a contract's waves up to an end, from the first if the wing is another than before."""
    if known[0] != wing:
        known[0], known[1] = wing, 0
    begin, (turns, heights) = known[1], nodes
    for parity in range(2):
        turn, height = turns[parity, begin:end], heights[parity, begin:end]
        cosine, sine = wave[parity, 0, begin:end], wave[parity, 1, begin:end]
        for k in range(len(turn)):
            cosine[k] = _bounded_exp(-height[k] * x)
        for k in range(len(turn)):
            along, across = _cos_and_sin(turn[k] * x)
            sine[k] = cosine[k] * across
            cosine[k] *= along
    known[1] = end


@compiled
def _amplitudes(
    real: np.ndarray,
    imaginary: np.ndarray,
    needed: np.ndarray,
    logs: _Arrays,
    by_factor: np.ndarray,
    time: float,
) -> None:
    """Terms of one maturity at the nodes that count, without the waves."""
    size, phase = logs
    for wing in range(2):
        for parity in range(2):
            n, first = needed[wing], (2 * wing + parity) * size.shape[2]
            along, across = real[0, wing, parity, :n], imaginary[0, wing, parity, :n]
            exponent, angle = size[wing, parity, :n], phase[wing, parity, :n]
            for k in range(len(along)):
                along[k] = _bounded_exp(exponent[k])
            for k in range(len(along)):
                cosine, sine = _cos_and_sin(angle[k])
                across[k] = along[k] * sine
                along[k] *= cosine
            for term in range(1, len(by_factor) + 1):
                factor = by_factor[term - 1, first : first + n]
                x, y = real[term, wing, parity, :n], imaginary[term, wing, parity, :n]
                for k in range(len(along)):
                    by_real, by_imaginary = time * factor[k].real, time * factor[k].imag
                    x[k] = by_real * along[k] - by_imaginary * across[k]
                    y[k] = by_real * across[k] + by_imaginary * along[k]


@compiled
def _bounded_exp(exponent: float) -> float:
    """exp of an exponent cut at the largest; zero below the lowest: large waves would raise it."""
    found = exp(min(exponent, LARGEST_EXPONENT))
    return 0.0 if exponent < _LOWEST_EXPONENT else found


@compiled
def _hidden(heights: np.ndarray, unseen: np.ndarray, x: float) -> float:
    """Σ of what nodes may hide, on the scale of their waves."""
    total = 0.0
    for parity in range(2):
        for k in range(heights.shape[1]):
            if unseen[parity, k] != 0.0:
                total += unseen[parity, k] * _bounded_exp(-heights[parity, k] * x)
    return total


@compiled
def reached(
    level: np.ndarray, heights: np.ndarray, x: np.ndarray, occupied: np.ndarray, mean: np.ndarray
) -> int:
    """Last node at which the integrand counts, for contracts nearest to 0 and to −mean."""
    last = 0
    for i in range(len(x)):
        for target in (0.0, -mean[i]):
            nearest, distance = 0.0, np.inf
            for j in range(x.shape[1]):
                if occupied[i, j] and abs(x[i, j] - target) < distance:
                    nearest, distance = x[i, j], abs(x[i, j] - target)
            last = max(last, _reached_by_one(level[i], heights, nearest))
    return last


@compiled
def _reached_by_one(level: np.ndarray, heights: np.ndarray, x: float) -> int:
    areas, last = np.zeros(2), np.zeros(2, dtype=np.int64)
    for wing in range(2):
        for parity in range(2):
            for k in range(heights.shape[2]):
                above = level[wing, parity, k] - heights[wing, parity, k] * x
                if above > 0.0:
                    areas[wing] += above
                    last[wing] = max(last[wing], 2 * k + parity)
    return int(last[0] if areas[0] <= areas[1] else last[1])
