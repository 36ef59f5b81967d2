"""Sums of sinh-acceleration in compiled loops: values, errors and derivatives of many options.

For every parameter set, maturity and strike the kernel evaluates, with x = ln(F/K),

    E[min(S, K)]/K = (1/π) Re ∫₀^∞ exp(iξx) φ_T(ξ) exp(iξω_T) ξ′(y) / (ξ(ξ + i)) dy

by the trapezoidal rule on the nodes of `sinh_contour`. Each option uses the wing on which its
integrand decays faster. log φ_T(ξ) and iξω_T are added before the exponential: for many small jumps
both are large, while their sum is moderate. exp(iξx) does not depend on the model, so a caller may
tabulate it once (`phase_factors`).

Arrays over nodes have the axes wing, parity of the node, node. The innermost loops run over
contiguous slices without branches, so that compilers vectorise them.

References
----------
Boyarchenko and Levendorskiĭ (2019), Sinh-acceleration: efficient evaluation of probability
distributions, option pricing, and Monte Carlo simulations, IJTAF 22(3), 1950011.
"""

import math
from typing import Final

import numpy as np

from levy_numerics.jit import compiled, compiled_without_lock
from levy_numerics.pricing.aliasing import raise_to_envelope
from levy_numerics.pricing.sinh_contour import STATED_SAFETY, set_wave
from levy_numerics.pricing.sinh_errors import add_errors, larger, log_rounding
from levy_numerics.special_scalar import bounded_exp

# Log of terms that change neither sums of about one nor their derivatives, e⁻⁵² = 3e-23.
_NEGLIGIBLE: Final = -52.0
INSIGNIFICANT: Final = math.log(1e-14)
# Largest |log φ_T(ξ) + iξω_T| whose exponential can be multiplied by a tabulated exp(iξx) without
# overflow or underflow; for larger ones exponents are added for each option.
_LARGEST_SEPARATE_EXPONENT: Final = 640.0
# Rounding error of the sums, per unit of 1 + F/K.
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
        x = ln(F/K), F/K, and the allowed error (infinite in the padding); shape
        (n_maturities, n_columns).
    phases : ndarray
        `phase_factors` of the options, or an array of length zero.
    contour : tuple
        `Contour.nodes_for_kernel`.
    rule : tuple of float
        `Contour.rule_for_kernel`, and the highest power of |ξ| with which factors grow.
    integrand : tuple
        `Integrand.arrays`.

    Returns
    -------
    value, error : ndarray, shape (S, n_maturities, n_columns)
        NaN and infinity if E[S_T] is infinite. Zero in the padding.
    terms : ndarray, shape (n_terms, S, n_maturities, n_columns)
    excess : ndarray, shape (2, S, n_maturities)
        Largest ratio to the allowed error of the errors that finer steps and more nodes reduce, and
        of truncation alone; zero if E[S_T] is infinite.
    largest : tuple of float
        Maxima of both kinds of excess.
    """
    (x, ratio, allowed), (xi_real, xi_imag, _, probes) = options, contour
    log_cf, factors, magnitude, years, drift, log_oscillation = integrand
    n_terms, n_sets, n = len(factors), len(drift), xi_real.shape[2]
    value = np.full((n_sets, *x.shape), np.nan)
    error = np.full((n_sets, *x.shape), np.inf)
    terms, excess = np.zeros((n_terms, n_sets, *x.shape)), np.zeros((2, n_sets, len(x)))
    sums, logs = np.empty((n_terms + 1, 2)), (np.empty((2, 2, n)), np.empty((2, 2, n)))
    amplitude, wave = np.empty((n_terms + 1, 2, 2, 2, n)), np.empty((2, 2, n))
    missed = np.zeros((2, 2, n) if len(log_oscillation) else (0, 0, 0))
    wings, ends = np.zeros(x.shape[1], np.int64), np.zeros(x.shape[1], np.int64)
    rounding = np.empty((2, len(probes)))
    for s in range(n_sets):
        rounding[:] = np.inf
        for i in range(len(x)):
            if not math.isfinite(drift[s, i]):
                continue
            row = i if log_cf.shape[1] > 1 else 0
            # With one row for all maturities its rounding is estimated once, for one year.
            if i == 0 or row:
                rounding = log_rounding(contour, magnitude[s, row], rule[4])
            _set_logs(logs, contour, log_cf[s, row], years[i], drift[s, i])
            envelope = logs[0]
            if len(log_oscillation):
                envelope = logs[0].copy()
                raise_to_envelope(envelope, missed, log_oscillation[s, i])
            of_maturity = x[i], ratio[i], allowed[i]
            needed = _choose_nodes(
                (wings, ends), error[s, i], of_maturity, contour, envelope, rounding
            )
            # Without a table, or if factors would leave the floating-point range, exponents are
            # added before the exponential, for each option.
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
                # Twice the sum over even nodes is the rule with step 2h; the poles' errors differ.
                largest = larger(largest, abs((odd - even) / poles + rule[1] - rule[0]))
                for term in range(n_terms):
                    terms[term, s, i, j] = sums[term + 1, 0] + sums[term + 1, 1]
            of_rule = largest * (STATED_SAFETY * largest + rule[3] + rule[5]) + rule[2] + _ROUNDING
            error[s, i] *= years[i]
            inputs = of_maturity, contour, rule
            add_errors(
                error[s, i], excess[:, s, i], of_rule, *inputs, wings, logs, envelope, missed
            )
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
            row, weight = log_cf[first : first + n], contour[2][wing, parity]
            real, imag = contour[0][wing, parity], contour[1][wing, parity]
            log_size, angle = logs[0][wing, parity], logs[1][wing, parity]
            for k in range(n):
                log_size[k] = (years * row[k].real - imag[k] * drift) + weight[k].real
                angle[k] = (years * row[k].imag + real[k] * drift) + weight[k].imag


@compiled
def _choose_nodes(
    chosen: _Arrays,
    rounding: np.ndarray,
    options: _Arrays,
    contour: _Arrays,
    envelope: np.ndarray,
    log_rounding: np.ndarray,
) -> np.ndarray:
    """Set wing, number of nodes and rounding error of each option of a maturity.

    Returns
    -------
    ndarray of int, shape (2,)
        Number of nodes of each parity that any option needs on either wing.
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
            end = _last_significant_node(xi_imag, envelope, wing, x, search_from[wing])
            wings[j], ends[j], search_from[wing] = wing, end, end
            needed[wing] = max(needed[wing], end)
    return needed


@compiled
def _choose_wing(
    heights: np.ndarray, levels: np.ndarray, log_rounding: np.ndarray, x: float
) -> tuple[int, float]:
    """Return the wing, up (0) or down (1), on which an integrand decays faster, and its rounding.

    Asymptotically the sign of x + ω_T decides, but for a distribution with a nearly Gaussian centre
    its mean does. Hence the integrand is compared: by how much its log exceeds `INSIGNIFICANT` at
    the probes, added up. Arrays have the shape (2, n_probes).
    """
    area, rounding = (0.0, 0.0), (0.0, 0.0)
    for wing in range(2):
        height, level, rounding_of = heights[wing], levels[wing], log_rounding[wing]
        total, largest = 0.0, -np.inf
        for p in range(len(height)):
            log_integrand = level[p] - height[p] * x
            total += max(log_integrand - INSIGNIFICANT, 0.0)
            largest = max(largest, log_integrand + rounding_of[p])
        area, rounding = (area[1], total), (rounding[1], largest)
    wing = 0 if area[0] <= area[1] else 1
    return wing, bounded_exp(rounding[wing])


@compiled
def _last_significant_node(
    xi_imag: np.ndarray, envelope: np.ndarray, wing: int, x: float, first: int
) -> int:
    """Return the number of nodes of each parity that contribute to an option.

    The search begins at `first`, the result for the previous strike, which is usually close.
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
    """Return whether an amplitude that contributes may overflow or underflow by itself."""
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
    """Set the amplitudes of the value and of each derivative, which multiply each option's wave.

    They are the integrand times 1 and times each factor. If `combined`, waves contain the
    integrand, and amplitudes are the factors alone.
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
