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

from levy_numerics.exponential import bounded_exp
from levy_numerics.jit import compiled, compiled_without_lock
from levy_numerics.pricing.aliasing import raise_to_envelope
from levy_numerics.pricing.sinh_contour import STATED_SAFETY
from levy_numerics.pricing.sinh_errors import add_errors, larger, log_rounding
from levy_numerics.pricing.sinh_phases import set_wave

_NEGLIGIBLE: Final = -52.0
"""Logarithm of what adds nothing to sums of about one, nor to their derivatives."""
INSIGNIFICANT: Final = math.log(1e-14)
_LARGEST_SEPARATE_EXPONENT: Final = 640.0
"""Largest |log φ_T(ξ) + iξω_T| whose exponential may be multiplied by a tabulated exp(iξx) without
leaving the floating-point range; beyond, exponents are added for each option."""
_ROUNDING: Final = 4e-15
_Arrays = tuple[np.ndarray, ...]


@compiled_without_lock
def fourier_sums(
    options: _Arrays,
    phases: np.ndarray,
    contour: _Arrays,
    rule: tuple[float, ...],
    integrand: _Arrays,
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
        `Contour.nodes_for_kernel`.
    rule : tuple of float
        `Contour.rule_for_kernel`, and the highest power of |ξ| with which factors grow.
    integrand : tuple
        The arrays of an `Integrand`.

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
    log_cf, factors, magnitude, years, drift, log_ripple = integrand
    n_terms, n_sets, n = len(factors), len(drift), xi_real.shape[2]
    value = np.full((n_sets, *x.shape), np.nan)
    error = np.full((n_sets, *x.shape), np.inf)
    terms, excess = np.zeros((n_terms, n_sets, *x.shape)), np.zeros((2, n_sets, len(x)))
    sums, logs = np.empty((n_terms + 1, 2)), (np.empty((2, 2, n)), np.empty((2, 2, n)))
    amplitude, wave = np.empty((n_terms + 1, 2, 2, 2, n)), np.empty((2, 2, n))
    missed = np.zeros((2, 2, n) if len(log_ripple) else (0, 0, 0))
    wings, ends = np.zeros(x.shape[1], np.int64), np.zeros(x.shape[1], np.int64)
    rounding = np.empty((2, len(probes)))
    for s in range(n_sets):
        rounding[:] = np.inf
        for i in range(len(x)):
            if not math.isfinite(drift[s, i]):
                continue
            row = i if log_cf.shape[1] > 1 else 0
            if i == 0 or row:
                rounding = log_rounding(contour, magnitude[s, row], rule[4])
            _set_logs(logs, contour, log_cf[s, row], years[i], drift[s, i])
            envelope = logs[0]
            if len(log_ripple):
                envelope = logs[0].copy()
                raise_to_envelope(envelope, missed, log_ripple[s, i])
            of_maturity = x[i], ratio[i], allowed[i]
            needed = _choose_nodes(
                (wings, ends), error[s, i], of_maturity, contour, envelope, rounding
            )
            # Without a table, or beyond the range in which factors may be kept apart, the sum of
            # exponents is exponentiated for each option.
            combined = not len(phases) or _leaves_range(logs[0], needed)
            _set_amplitudes(amplitude, logs, factors, (s, row), years[i], needed, combined)
            largest = 0.0
            for j in range(x.shape[1]):
                poles = 1.0 + ratio[i, j]
                if not allowed[i, j] < np.inf:
                    value[s, i, j] = 0.0
                    continue
                if combined:
                    set_wave(wave, logs, (xi_real, xi_imag), wings[j], x[i, j], ends[j])
                    _sum_nodes(sums, amplitude, wings[j], wave, ends[j])
                else:
                    _sum_nodes(sums, amplitude, wings[j], phases[i, j, wings[j]], ends[j])
                even, odd = sums[0]
                value[s, i, j] = even + odd - rule[0] * poles
                largest = larger(largest, abs((odd - even) / poles + rule[1] - rule[0]))
                for term in range(n_terms):
                    terms[term, s, i, j] = sums[term + 1, 0] + sums[term + 1, 1]
            of_rule = largest * (STATED_SAFETY * largest + rule[3] + rule[5]) + rule[2] + _ROUNDING
            error[s, i] *= years[i]
            at = of_maturity, contour, rule
            add_errors(error[s, i], excess[:, s, i], of_rule, *at, wings, logs, envelope, missed)
    return value, error, terms, excess, (excess[0].max(), excess[1].max())


@compiled
def _set_logs(
    logs: _Arrays, contour: _Arrays, log_cf: np.ndarray, years: float, drift: float
) -> None:
    """Set real and imaginary part of log φ_T(ξ) + iξω_T + log weight."""
    n = contour[0].shape[2]
    for wing in range(2):
        for parity in range(2):
            first = (2 * wing + parity) * n
            here, weight = log_cf[first : first + n], contour[2][wing, parity]
            real, imag = contour[0][wing, parity], contour[1][wing, parity]
            log_size, angle = logs[0][wing, parity], logs[1][wing, parity]
            for k in range(n):
                log_size[k] = (years * here[k].real - imag[k] * drift) + weight[k].real
                angle[k] = (years * here[k].imag + real[k] * drift) + weight[k].imag


@compiled
def _choose_nodes(
    chosen: _Arrays,
    rounding: np.ndarray,
    options: _Arrays,
    contour: _Arrays,
    envelope: np.ndarray,
    log_rounding: np.ndarray,
) -> np.ndarray:
    """Set wing, last node and rounding error of each option of a maturity.

    Returns
    -------
    ndarray of int, shape (2,)
        Nodes of each parity that are needed on either wing.
    """
    (_, xi_imag, _, probes), (wings, ends) = contour, chosen
    needed, search_from = np.zeros(2, np.int64), np.full(2, xi_imag.shape[2])
    heights, levels = np.empty((2, len(probes))), np.empty((2, len(probes)))
    for wing in range(2):
        for p in range(len(probes)):
            heights[wing, p] = xi_imag[wing, 1, probes[p]]
            levels[wing, p] = envelope[wing, 1, probes[p]]
    for j in range(len(wings)):
        if options[2][j] < np.inf:
            x = options[0][j]
            wing, rounding[j] = _choose_wing(heights, levels, log_rounding, x)
            end = _end(xi_imag, envelope, wing, x, search_from[wing])
            wings[j], ends[j], search_from[wing] = wing, end, end
            needed[wing] = max(needed[wing], end)
    return needed


@compiled
def _choose_wing(
    heights: np.ndarray, levels: np.ndarray, log_rounding: np.ndarray, x: float
) -> tuple[int, float]:
    """Return the wing, up (0) or down (1), on which an integrand decays faster, and its rounding.

    In theory the sign of x + ω_T decides, but where the distribution is nearly Gaussian until its
    tails set in, its mean does. The integrand shows it: what counts is by how much its logarithm
    exceeds insignificance at the probes. Arrays have the shape (2, n_probes).
    """
    area, rounding = (0.0, 0.0), (0.0, 0.0)
    for wing in range(2):
        height, level, rounding_of = heights[wing], levels[wing], log_rounding[wing]
        total, largest = 0.0, -np.inf
        for p in range(len(height)):
            here = level[p] - height[p] * x
            total += max(here - INSIGNIFICANT, 0.0)
            largest = max(largest, here + rounding_of[p])
        area, rounding = (area[1], total), (rounding[1], largest)
    wing = 0 if area[0] <= area[1] else 1
    return wing, bounded_exp(rounding[wing])


@compiled
def _end(xi_imag: np.ndarray, envelope: np.ndarray, wing: int, x: float, first: int) -> int:
    """Return how many nodes of each parity contribute to an option, searching from `first`.

    Neighbouring strikes end near each other; the first of a maturity searches from the last node.
    """
    even, odd = envelope[wing, 0], envelope[wing, 1]
    even_height, odd_height, end = xi_imag[wing, 0], xi_imag[wing, 1], first
    while end < len(even) and not (
        even[end] - even_height[end] * x < _NEGLIGIBLE
        and odd[end] - odd_height[end] * x < _NEGLIGIBLE
    ):
        end += 1
    while end > 1 and (
        even[end - 1] - even_height[end - 1] * x < _NEGLIGIBLE
        and odd[end - 1] - odd_height[end - 1] * x < _NEGLIGIBLE
    ):
        end -= 1
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
    logs: _Arrays,
    factors: np.ndarray,
    place: tuple[int, int],
    years: float,
    needed: np.ndarray,
    combined: bool,
) -> None:
    """Set what multiplies the wave of each option: of the value, then of each derivative.

    The integrand and its products with the factors; without the integrand where the wave has it.
    """
    for wing in range(2):
        n = needed[wing]
        if not combined:
            set_wave(amplitude[0, wing], logs, logs, wing, 0.0, n)
        for parity in range(2):
            first = (2 * wing + parity) * logs[0].shape[2]
            along, across = amplitude[0, wing, parity, 0, :n], amplitude[0, wing, parity, 1, :n]
            if combined:
                along[:], across[:] = 1.0, 0.0
            for term in range(len(factors)):
                factor = factors[term, place[0], place[1], first : first + n]
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
            sums[term, parity] = total
