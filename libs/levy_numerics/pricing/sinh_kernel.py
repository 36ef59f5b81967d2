"""Sums of sinh-acceleration in compiled loops: values, errors and derivatives of many options.

For every parameter set, maturity and strike the kernel evaluates, with x = ln(F/K),

    E[min(S, K)]/K = (1/π) Re ∫₀^∞ exp(iξx) φ_T(ξ) exp(iξω_T) ξ′(y) / (ξ(ξ + i)) dy

by the trapezoidal rule on the nodes of `sinh_contour`. Each option uses the wing on which its
integrand decays faster. log φ_T(ξ) + iξω_T is added up before it is exponentiated: both terms may
be large where jumps are many and small, while their sum stays moderate. exp(iξx) does not depend on
the model, so a caller may tabulate it once (`phase_factors`) and pass it in.

Arrays over nodes have the axes (wing, parity of the node, node); the innermost loops run over
contiguous slices from their first entry to their last, which compilers turn into vector code.

References
----------
Boyarchenko and Levendorskiĭ (2019), Sinh-acceleration: efficient evaluation of probability
distributions, option pricing, and Monte Carlo simulations, IJTAF 22(3), 1950011.
"""

import math
from typing import Final

import numpy as np

from levy_numerics.exponential import exp
from levy_numerics.jit import compiled, compiled_in_order
from levy_numerics.pricing.aliasing import LONGEST_STRIDE
from levy_numerics.pricing.sinh_contour import SAFETY
from levy_numerics.special import cos_and_sin

_NEGLIGIBLE: Final = -52.0
"""Logarithm of what adds nothing to sums of about one, nor to their derivatives."""
_INSIGNIFICANT: Final = math.log(1e-14)
_LARGEST_EXPONENT: Final = 680.0
_LOWEST_EXPONENT: Final = -700.0
_LARGEST_SEPARATE_EXPONENT: Final = 640.0
"""Largest |log φ_T(ξ) + iξω_T| whose exponential may be multiplied by a tabulated exp(iξx) without
leaving the floating-point range; beyond, exponents are added for each option."""
_ROUNDING: Final = 4e-15
_ROUNDING_PER_NODE: Final = 2.0 * np.finfo(float).eps
_Arrays = tuple[np.ndarray, ...]
_cos_and_sin: Final = compiled_in_order(cos_and_sin)


@compiled
def phase_factors(x: np.ndarray, xi_real: np.ndarray, xi_imag: np.ndarray) -> np.ndarray:
    """Return exp(iξx) for every option and node.

    Parameters
    ----------
    x : ndarray, shape (n_maturities, n_columns)
        ln(F/K).
    xi_real, xi_imag : ndarray, shape (2, 2, n)
        Nodes by wing and parity.

    Returns
    -------
    ndarray, shape (n_maturities, n_columns, 2, 2, 2, n)
        By wing, parity, and real and imaginary part.
    """
    factors, none = np.empty((*x.shape, 2, 2, 2, xi_real.shape[2])), np.zeros(xi_real.shape[2])
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            for wing in range(2):
                for parity in range(2):
                    nodes = xi_real[wing, parity], xi_imag[wing, parity]
                    _wave(factors[i, j, wing, parity], none, none, *nodes, x[i, j])
    return factors


@compiled
def fourier_sums(
    options: _Arrays,
    phases: np.ndarray,
    contour: _Arrays,
    rule: tuple[float, ...],
    integrand: _Arrays,
    years: np.ndarray,
    drift: np.ndarray,
    oscillating: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[float, float]]:
    """Return E[min(S, K)]/K, its error and its derivatives, for S parameter sets.

    Parameters
    ----------
    options : tuple
        x = ln(F/K), F/K, and the error allowed (infinite where there is no option); shape
        (n_maturities, n_columns).
    phases : ndarray
        `phase_factors` of the options, or none (length zero).
    contour : tuple
        Re ξ, Im ξ and log weights of the nodes, shape (2, 2, n), and the indices of the probes.
    rule : tuple of float
        Error share of the payoff's poles with steps h and 2h, empirical error and rate, 1 − exp(−h),
        and the highest power of |ξ| with which derivative factors grow.
    integrand : tuple
        log φ_T, shape (S, n_rows, 4n + 1); factors of the derivatives, (n_terms, S, n_rows, 4n + 1);
        sum of the absolute terms behind log φ_T at the probes, (S, n_rows, 2·n_probes + 1). The
        last node is −i. n_rows is n_maturities, or 1 where all are proportional to T.
    years : ndarray, shape (n_maturities,)
        What the row of each maturity is multiplied by.
    drift : ndarray, shape (S, n_maturities)
        ω_T; NaN where there is no forward.
    oscillating : ndarray, shape (S, n_maturities, 4n)
        log of the oscillating part of log φ_T; length zero where there is none.

    Returns
    -------
    value, error : ndarray, shape (S, n_maturities, n_columns)
        NaN and infinity where there is no forward. Zero where there is no option.
    terms : ndarray, shape (n_terms, S, n_maturities, n_columns)
    excess : ndarray, shape (2, S, n_maturities)
        Largest ratio to the error allowed of what finer steps and more nodes can improve together,
        and of truncation alone; zero where there is no forward.
    largest : tuple of float
        Of both kinds of excess.
    """
    (x, ratio, allowed), (xi_real, xi_imag, _, probes) = options, contour
    log_cf, factors, magnitude = integrand
    n_terms, n_sets, n = len(factors), len(drift), xi_real.shape[2]
    value = np.full((n_sets, *x.shape), np.nan)
    error = np.full((n_sets, *x.shape), np.inf)
    terms, excess = np.zeros((n_terms, n_sets, *x.shape)), np.zeros((2, n_sets, len(x)))
    log_size, angle = np.empty((2, 2, n)), np.empty((2, 2, n))
    amplitude, scratch = np.empty((n_terms + 1, 2, 2, 2, n)), np.empty((2, 2, n))
    unseen = np.zeros((2, 2, n) if len(oscillating) else (0, 0, 0))
    wings, ends = np.zeros(x.shape[1], np.int64), np.zeros(x.shape[1], np.int64)
    log_rounding = np.empty((2, len(probes)))
    sums, needed = np.empty((2, n_terms + 1)), np.zeros(2, np.int64)
    heights, growth = _at_probes(xi_imag, probes), np.empty(2)
    for wing in range(2):
        growth[wing] = rule[5] * math.log(math.hypot(xi_real[wing, 1, -1], xi_imag[wing, 1, -1]))
    for s in range(n_sets):
        for i in range(len(x)):
            if not math.isfinite(drift[s, i]):
                continue
            row = i if log_cf.shape[1] > 1 else 0
            if i == 0 or row:
                log_rounding = _log_rounding(contour, magnitude[s, row])
            _log_integrand(log_size, angle, contour, log_cf[s, row], years[i], drift[s, i])
            envelope = log_size
            if len(oscillating):
                envelope = log_size.copy()
                _raise_to_envelope(envelope, unseen, oscillating[s, i])
            levels = _at_probes(envelope, probes)
            needed[:] = 0
            for j in range(x.shape[1]):
                if allowed[i, j] < np.inf:
                    wings[j], rounding = _choose_wing(heights, levels, log_rounding, x[i, j])
                    error[s, i, j] = years[i] * rounding
                    ends[j] = _end(xi_imag, envelope, wings[j], x[i, j])
                    needed[wings[j]] = max(needed[wings[j]], ends[j])
            # Without a table, or beyond the range in which factors may be kept apart, the whole
            # exponent of each option is exponentiated.
            combined = not len(phases) or _leaves_range(log_size, needed)
            _set_amplitudes(amplitude, log_size, angle, factors, s, row, years[i], needed, combined)
            largest = 0.0
            for j in range(x.shape[1]):
                if not allowed[i, j] < np.inf:
                    value[s, i, j], error[s, i, j] = 0.0, 0.0
                    continue
                wing, wave = wings[j], scratch
                if combined:
                    for parity in range(2):
                        _wave(
                            scratch[parity],
                            log_size[wing, parity, : ends[j]],
                            angle[wing, parity, : ends[j]],
                            xi_real[wing, parity],
                            xi_imag[wing, parity],
                            x[i, j],
                        )
                else:
                    wave = phases[i, j, wing]
                _sum_nodes(sums, amplitude, wing, wave, ends[j])
                poles = 1.0 + ratio[i, j]
                even, odd = sums[0, 0], sums[1, 0]
                value[s, i, j] = even + odd - rule[0] * poles
                difference = (odd - even) / poles + rule[1] - rule[0]
                largest = _larger(largest, abs(difference))
                for term in range(n_terms):
                    terms[term, s, i, j] = sums[0, term + 1] + sums[1, term + 1]
            observed = largest * (SAFETY * largest + rule[3]) + rule[2] + _ROUNDING
            for j in range(x.shape[1]):
                if allowed[i, j] < np.inf:
                    of_rule, wing = observed * (1.0 + ratio[i, j]), wings[j]
                    if len(oscillating):
                        of_rule += _aliasing(xi_imag[wing], unseen[wing], x[i, j])
                    # What nodes left out would add falls at least as fast as |dξ/ξ²|.
                    last = envelope[wing, 1, -1] - xi_imag[wing, 1, -1] * x[i, j]
                    of_end = _bounded_exp(min(last + growth[wing], 0.0)) / rule[4]
                    total = error[s, i, j] + of_rule + of_end
                    error[s, i, j] = total if total < np.inf else np.inf
                    excess[0, s, i] = _larger(excess[0, s, i], (of_rule + of_end) / allowed[i, j])
                    excess[1, s, i] = _larger(excess[1, s, i], of_end / allowed[i, j])
    return value, error, terms, excess, (excess[0].max(), excess[1].max())


@compiled
def _log_integrand(
    log_size: np.ndarray,
    angle: np.ndarray,
    contour: _Arrays,
    log_cf: np.ndarray,
    years: float,
    drift: float,
) -> None:
    """Set the logarithm of the integrand without exp(iξx): log φ_T(ξ) + iξω_T + log weight."""
    xi_real, xi_imag, log_weights, _ = contour
    n = log_size.shape[2]
    for wing in range(2):
        for parity in range(2):
            first = (2 * wing + parity) * n
            here, weight = log_cf[first : first + n], log_weights[wing, parity]
            real, imag = xi_real[wing, parity], xi_imag[wing, parity]
            size, turn = log_size[wing, parity], angle[wing, parity]
            for k in range(n):
                size[k] = (years * here[k].real - imag[k] * drift) + weight[k].real
                turn[k] = (years * here[k].imag + real[k] * drift) + weight[k].imag


@compiled
def _at_probes(of_nodes: np.ndarray, probes: np.ndarray) -> np.ndarray:
    """Return what belongs to the probes, shape (2, n_probes)."""
    chosen = np.empty((2, len(probes)))
    for wing in range(2):
        for p in range(len(probes)):
            chosen[wing, p] = of_nodes[wing, 1, probes[p]]
    return chosen


@compiled
def _raise_to_envelope(envelope: np.ndarray, unseen: np.ndarray, oscillating: np.ndarray) -> None:
    """Raise log|integrand| to its envelope, and set what the rule may miss between nodes.

    Array versions of both formulas, with their derivation, are in `aliasing`.
    """
    n = envelope.shape[2]
    for wing in range(2):
        first = 2 * wing * n
        even, odd = oscillating[first : first + n], oscillating[first + n : first + 2 * n]
        for parity in range(2):
            here = odd if parity else even
            for k in range(n):
                size, (_, sine) = _bounded_exp(here[k].real), _cos_and_sin(0.5 * here[k].imag)
                envelope[wing, parity, k] += 2.0 * size * sine * sine
                stride, missed = abs(odd[k].imag - even[k].imag), 0.0
                if not stride * math.sqrt(1.0 + size) <= LONGEST_STRIDE:
                    missed = -math.expm1(-2.0 * size) * _bounded_exp(envelope[wing, parity, k])
                unseen[wing, parity, k] = missed


@compiled
def _log_rounding(contour: _Arrays, magnitude: np.ndarray) -> np.ndarray:
    """Return the log of the rounding error of a row of log φ_T(ξ) + iξω_T at the probes.

    Each term that is added up is right to a few units of its last place, whatever cancels
    afterwards. The sum over nodes is bounded by their number times its largest summand.
    """
    xi_real, xi_imag, _, probes = contour
    scale = np.empty((2, len(probes)))
    for wing in range(2):
        for p in range(len(probes)):
            size = math.hypot(xi_real[wing, 1, probes[p]], xi_imag[wing, 1, probes[p]])
            term = magnitude[wing * len(probes) + p] + size * magnitude[-1]
            # NaN becomes infinity: a row that overflows is not trusted.
            scale[wing, p] = math.log(_larger(0.0, _ROUNDING_PER_NODE * xi_real.shape[2] * term))
    return scale


@compiled
def _choose_wing(
    heights: np.ndarray, levels: np.ndarray, log_rounding: np.ndarray, x: float
) -> tuple[int, float]:
    """Return the wing, up (0) or down (1), on which an option's integrand decays faster.

    In theory the sign of x + ω_T decides, but where the distribution is nearly Gaussian until its
    tails set in, its mean does. The integrand shows it: what counts is by how much its logarithm
    exceeds insignificance at the probes. Returned beside it is the rounding error on that wing.

    Parameters
    ----------
    heights, levels, log_rounding : ndarray, shape (2, n_probes)
        Im ξ, log of the integrand's envelope without exp(iξx), and of its rounding error.
    x : float
    """
    area, rounding = (0.0, 0.0), (0.0, 0.0)
    for wing in range(2):
        height, level, rounding_of = heights[wing], levels[wing], log_rounding[wing]
        total, largest = 0.0, -np.inf
        for p in range(len(height)):
            here = level[p] - height[p] * x
            total += max(here - _INSIGNIFICANT, 0.0)
            largest = max(largest, here + rounding_of[p])
        area, rounding = (area[1], total), (rounding[1], largest)
    wing = 0 if area[0] <= area[1] else 1
    return wing, _bounded_exp(rounding[wing])


@compiled
def _end(xi_imag: np.ndarray, envelope: np.ndarray, wing: int, x: float) -> int:
    """Return how many nodes of each parity contribute to an option."""
    end = 1
    for parity in range(2):
        heights, levels = xi_imag[wing, parity], envelope[wing, parity]
        for k in range(len(heights)):
            if not levels[k] - heights[k] * x < _NEGLIGIBLE:
                end = max(end, k + 1)
    return end


@compiled
def _leaves_range(log_size: np.ndarray, needed: np.ndarray) -> bool:
    """Return whether amplitudes that contribute cannot be kept apart from exp(iξx)."""
    largest = 0.0
    for wing in range(2):
        for parity in range(2):
            for k in range(needed[wing]):
                largest = max(largest, abs(log_size[wing, parity, k]))
    return not largest <= _LARGEST_SEPARATE_EXPONENT


@compiled
def _set_amplitudes(
    amplitude: np.ndarray,
    log_size: np.ndarray,
    angle: np.ndarray,
    factors: np.ndarray,
    s: int,
    row: int,
    years: float,
    needed: np.ndarray,
    combined: bool,
) -> None:
    """Set what multiplies the wave of each option at the nodes that contribute: value, then terms.

    The integrand and its products with the factors; the factors alone where the wave already
    contains the integrand.
    """
    for wing in range(2):
        n = needed[wing]
        for parity in range(2):
            first = (2 * wing + parity) * log_size.shape[2]
            along, across = amplitude[0, wing, parity, 0, :n], amplitude[0, wing, parity, 1, :n]
            if combined:
                along[:], across[:] = 1.0, 0.0
            else:
                size, turn = log_size[wing, parity, :n], angle[wing, parity, :n]
                _wave(amplitude[0, wing, parity], size, turn, turn, turn, 0.0)
            for term in range(len(factors)):
                factor = factors[term, s, row, first : first + n]
                real = amplitude[term + 1, wing, parity, 0, :n]
                imag = amplitude[term + 1, wing, parity, 1, :n]
                for k in range(n):
                    by_real, by_imag = years * factor[k].real, years * factor[k].imag
                    real[k] = by_real * along[k] - by_imag * across[k]
                    imag[k] = by_real * across[k] + by_imag * along[k]


@compiled
def _sum_nodes(
    sums: np.ndarray, amplitude: np.ndarray, wing: int, wave: np.ndarray, end: int
) -> None:
    """Set Re Σ amplitude·wave over nodes of each parity, for the value and each derivative."""
    for parity in range(2):
        real, imag = wave[parity, 0, :end], wave[parity, 1, :end]
        for term in range(len(amplitude)):
            x, y = amplitude[term, wing, parity, 0, :end], amplitude[term, wing, parity, 1, :end]
            total = 0.0
            for k in range(len(real)):
                total += x[k] * real[k] - y[k] * imag[k]
            sums[parity, term] = total


@compiled
def _aliasing(xi_imag: np.ndarray, unseen: np.ndarray, x: float) -> float:
    """Return the sum of what the rule may miss between nodes, on the scale of its terms."""
    total = 0.0
    for parity in range(2):
        for k in range(xi_imag.shape[1]):
            if unseen[parity, k] != 0.0:
                total += unseen[parity, k] * _bounded_exp(-xi_imag[parity, k] * x)
    return total


@compiled
def _wave(
    into: np.ndarray,
    log_size: np.ndarray,
    angle: np.ndarray,
    xi_real: np.ndarray,
    xi_imag: np.ndarray,
    x: float,
) -> None:
    """Set real and imaginary part, rows of `into`, of exp(log_size + i·angle + iξx)."""
    real, imag = into[0, : len(angle)], into[1, : len(angle)]
    for k in range(len(angle)):
        real[k] = _bounded_exp(log_size[k] - xi_imag[k] * x)
    for k in range(len(angle)):
        cosine, sine = _cos_and_sin(angle[k] + xi_real[k] * x)
        imag[k] = real[k] * sine
        real[k] *= cosine


@compiled
def _larger(a: float, b: float) -> float:
    """Return the larger of two numbers, infinity if the second is NaN."""
    return max(a, b) if b == b else np.inf


@compiled
def _bounded_exp(exponent: float) -> float:
    """Return exp of an exponent, at most that of the largest; zero below the lowest."""
    result = exp(min(exponent, _LARGEST_EXPONENT))
    return 0.0 if exponent < _LOWEST_EXPONENT else result
