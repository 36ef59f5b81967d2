"""The sums behind sinh-acceleration: a few dozen terms for twelve digits.

E[min(S, K)] = (K/π)·Re ∫₀^∞ exp(iξx′)φ_T(ξ)ξ′(y)/(ξ(ξ + i)) dy, x′ = ln(F/K) + ω_T, on the
contours of `contour`. The factor exp(iξ·ln(F/K)) knows no parameters: a `SinhTable` holds it,
and pricing a parameter set is then one matrix product. One formula serves NumPy and JAX.

References
----------
Boyarchenko and Levendorskiĭ (2019), Sinh-acceleration: efficient evaluation of probability
distributions, option pricing, and Monte Carlo simulations, IJTAF 22(3), 1950011.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import numpy as np

from levy_numerics.market import MaturityTable
from levy_numerics.models.base import Model
from levy_numerics.pricing.contour import SAFETY, TILT, Contour, sinh_contour
from levy_numerics.pricing.factors import NO_FACTORS, Factors
from levy_numerics.pricing.ripples import hidden, rise
from levy_numerics.special import array_namespace, bounded_exp, bounded_size, either

LARGEST_EXPONENT: Final = 680.0
"""exp() of more, summed over nodes, might overflow."""
ROUNDING: Final = 4e-15
TRUNCATION: Final = 0.1
SCAN_STEP: Final = 0.5
SCAN_NODES: Final = 72
NODE_BLOCK: Final = 8
INSIGNIFICANT: Final = math.log(1e-14)
_TINY: Final = 1e-300


@dataclass(frozen=True)
class SinhTable:
    """exp(iξ(x + origin)) for every contract and node, ready for one matrix product a maturity.

    Attributes
    ----------
    contour : Contour
    maturity_years : array, shape (n_maturities,)
    log_moneyness : array, shape (n_maturities, n_columns)
        x = ln(F/K).
    origin : array, shape (n_maturities,)
        The drift ω_T about which the table was made. Sets of about that drift share it; of very
        different ones, wave and amplitude would leave the floating-point range.
    waves : array, shape (n_maturities, 2, 2, n_nodes, n_columns)
        Real parts, then negated imaginary parts; second and third axes are the contour's.
    forward_ratio : array, shape (n_maturities, n_columns)
        F/K.
    probe_decay : array of float32, shape (n_maturities, 2, n_probes, n_columns)
        Im ξ·(x + origin) at the contour's probes, for what needs a few digits only.
    """

    contour: Contour
    maturity_years: Any
    log_moneyness: Any
    origin: Any
    waves: Any
    forward_ratio: Any
    probe_decay: Any

    @classmethod
    def of(cls, contour: Contour, maturity_years: Any, log_moneyness: Any, origin: Any) -> Self:
        """Tabulate, in the namespace of `log_moneyness`."""
        xp = array_namespace(log_moneyness)
        x = log_moneyness + origin[:, None]
        at = x[:, None, None, None, :]
        # The wings are each other's mirror image: they grow at different rates, and turn alike.
        turn = bounded_exp(1j * contour.nodes[:1].real[..., None] * at, 0.0)
        size = bounded_size(-contour.nodes.imag[..., None] * at, LARGEST_EXPONENT)
        waves = xp.concatenate([size * xp.real(turn), -size * xp.imag(turn)], axis=-2)
        imaginary = contour.nodes[:, 1, contour.probes].imag
        decay = xp.asarray(imaginary[..., None] * x[:, None, None, :], dtype=np.float32)
        ratio = xp.exp(log_moneyness)
        return cls(contour, maturity_years, log_moneyness, origin, waves, ratio, decay)

    @classmethod
    def of_layout(cls, contour: Contour, layout: MaturityTable, origin: np.ndarray) -> Self:
        """Tabulate contracts laid out by maturity."""
        return cls.of(contour, layout.maturity_years, layout.log_moneyness, origin)

    def covered(self, model: Model, factors: Factors = NO_FACTORS) -> "Covered":
        """See `covered`."""
        return covered(self, model, factors)

    def reaches(self, drift: np.ndarray) -> bool:
        """Whether all nodes count for sets of this drift."""
        farthest = float(np.max(np.abs(drift - self.origin)))
        return farthest * self.contour.reach <= LARGEST_EXPONENT

    @cached_property
    def wave_sizes(self) -> Any:
        """|exp(iξ(x + origin))|, shape (n_maturities, 2, 2, n_nodes / 2, n_columns)."""
        xp = array_namespace(self.waves)
        half = self.waves.shape[-2] // 2
        return xp.hypot(self.waves[..., :half, :], self.waves[..., half:, :])


@dataclass(frozen=True)
class Covered:
    """E[min(S_T, K)]/K on a table, and derivatives of it.

    Attributes
    ----------
    value, error : arrays, shape (…, n_maturities, n_columns)
    terms : array, shape (n_terms, …, n_maturities, n_columns)
        One for each factor.
    drift : array, shape (…, n_maturities)
        ω_T; NaN where there is no forward, and then no value, and an infinite error.
    """

    value: Any
    error: Any
    terms: Any
    drift: Any


def covered(table: SinhTable, model: Model, factors: Factors = NO_FACTORS) -> Covered:
    """E[min(S_T, K)]/K with its error, and its derivatives, for every contract of the table.

    Parameters
    ----------
    model : Model
        Fields are numbers, or arrays of shape (n_sets,).
    """
    xp = array_namespace(table.log_moneyness, *model.as_mapping().values())
    contour = table.contour
    years, frequencies = table.maturity_years[:, None], contour.frequencies
    model = model.expanded(2)
    if factors.values is None:
        log_cf, by_factor = model.log_cf(frequencies, years), None
    else:
        log_cf, by_factor = factors.values(model, frequencies, years)
    exists = model.forward_exists(years)
    drift = xp.where(exists, -xp.real(log_cf[..., -1:]), np.nan)
    shift = contour.turned * (drift - table.origin[:, None])
    log_amplitude = log_cf[..., :-1] + shift + contour.flat_log_weights
    amplitude = bounded_exp(log_amplitude, LARGEST_EXPONENT)
    terms = amplitude[None]
    if by_factor is not None:
        terms = xp.concatenate([terms, by_factor[..., :-1] * amplitude])
    envelope, log_ripple = xp.real(log_amplitude), model.log_ripple(frequencies[:-1], years)
    if log_ripple is not None:
        envelope = envelope + rise(log_ripple)
    envelope = _by_wing(table, envelope)
    up = wings_up(table, envelope[..., 1, contour.probes])
    fine, coarse = _sums(table, up, _by_wing(table, terms))
    poles = 1.0 + table.forward_ratio
    value = fine[0] - contour.pole_error * poles
    difference = value - coarse[0] + contour.coarse_pole_error * poles
    if factors.order:
        envelope = envelope + factors.order * np.log(np.abs(contour.nodes))
    drift = drift[..., 0]
    error = _discretisation(table, difference, poles) + _tail(table, up, drift, envelope)
    if log_ripple is not None:
        error = error + _unseen(table, up, hidden(_by_wing(table, log_ripple), envelope))
    error = xp.where(error < np.inf, error, np.inf)
    return Covered(
        value, error, fine[1:] - contour.pole_error * at_poles(table.forward_ratio, factors), drift
    )


def _by_wing(table: SinhTable, at_nodes: Any) -> Any:
    """What is known at all nodes, shape (…, 4·n), laid out as the contour's nodes are."""
    return at_nodes.reshape(*at_nodes.shape[:-1], *table.contour.nodes.shape)


def at_poles(forward_ratio: Any, factors: Factors) -> Any:
    """Residues, up to a constant, of the terms' integrands at the two poles together.

    Parameters
    ----------
    forward_ratio : array, shape (n_maturities, n_columns)
        F/K.

    Returns
    -------
    array, shape (n_terms, n_maturities, n_columns), or zero
    """
    if not factors.at_poles:
        return 0.0
    xp = array_namespace(forward_ratio)
    each = [at_zero + at_minus_i * forward_ratio for at_zero, at_minus_i in factors.at_poles]
    return xp.stack(each)


def wings_up(table: SinhTable, envelope: Any) -> Any:
    """Which wings to take, boolean, shape (…, n_maturities, n_columns).

    In theory x + ω_T ≥ 0 decides for wings up; but where the distribution is nearly Gaussian
    until its tails set in, its mean does. The integrand itself knows: what counts is how far,
    at a few nodes, its logarithm stands above insignificance.

    Parameters
    ----------
    envelope : array, shape (…, n_maturities, 2, n_probes)
        Of the logarithm of the integrand's size, at the contour's probes.
    """
    xp = array_namespace(table.log_moneyness, envelope)
    size = xp.asarray(envelope - INSIGNIFICANT, dtype=np.float32)
    above = xp.maximum(size[..., None] - table.probe_decay, np.float32(0.0))
    area = above.sum(axis=-2)
    return area[..., 0, :] <= area[..., 1, :]


def _sums(table: SinhTable, up: Any, amplitudes: Any) -> tuple[Any, Any]:
    """Re Σ amplitude·exp(iξ(x + origin)), on the side of the contour each contract needs.

    Parameters
    ----------
    amplitudes : complex array, shape (n_terms, …, n_maturities, 2, 2, n_nodes / 2)

    Returns
    -------
    fine, coarse : arrays, shape (n_terms, …, n_maturities, n_columns)
        The rule with steps h and 2h.
    """
    xp = array_namespace(table.log_moneyness, amplitudes)
    rows = xp.concatenate([xp.real(amplitudes), xp.imag(amplitudes)], axis=-1)
    lead = rows.shape[:-4]
    # One product per maturity, side and parity; terms and parameter sets are its rows.
    rows = rows.reshape(-1, *rows.shape[-4:]).transpose(1, 2, 3, 0, 4)
    parts = xp.matmul(rows, table.waves).transpose(3, 0, 1, 2, 4)
    parts = parts.reshape(*lead, *parts.shape[1:])
    chosen = xp.where(up[..., None, :], parts[..., 0, :, :], parts[..., 1, :, :])
    even = chosen[..., 0, :]
    return even + chosen[..., 1, :], 2.0 * even


def _discretisation(table: SinhTable, difference: Any, poles: Any) -> Any:
    """Error of the rule with step h and of rounding, from its difference to the rule with 2h.

    With convergence like c·q², q = exp(−πd/h), the difference is e = cq and e²/c is our error;
    c is 0.01 and more for the bulk of a distribution, but less for its rare jumps: e·q counts
    as well. e oscillates with the strike and may vanish by accident: the largest of the
    maturity counts, and never less than what the rule usually errs by.
    """
    xp = array_namespace(table.log_moneyness, difference)
    contour = table.contour
    largest = (xp.abs(difference) / poles).max(axis=-1, keepdims=True)
    observed = largest * (SAFETY * largest + contour.usual_rate)
    return (observed + (contour.usual_error + ROUNDING)) * poles


def _tail(table: SinhTable, up: Any, drift: Any, envelope: Any) -> Any:
    """What the nodes left out would add; it falls at least as fast as |dξ/ξ²|.

    Where the drift is far from the table's, wave and amplitude leave the floating-point range,
    one growing while the other falls, and the sum effectively ends there.
    """
    xp = array_namespace(table.log_moneyness, drift)
    contour = table.contour
    away = xp.abs(drift - table.origin)

    def at_end() -> Any:
        return envelope[..., 1, -1:] - table.probe_decay[..., -1, :]

    def before_loss() -> Any:
        reach = contour.nodes[:, 1].imag
        lost = LARGEST_EXPONENT / xp.maximum(away, _TINY)
        end = xp.maximum(xp.searchsorted(np.abs(reach[0]), lost, side="right") - 1, 0)
        last = xp.asarray(reach.T)[end][..., None]
        index = xp.broadcast_to(end[..., None, None], last.shape)
        size = xp.take_along_axis(envelope[..., 1, :], index, axis=-1)
        return size - last * (table.log_moneyness + table.origin[:, None])[:, None, :]

    within = away.max() * contour.reach <= LARGEST_EXPONENT
    exponent = either(within, at_end, before_loss)
    exponent = xp.where(up, exponent[..., 0, :], exponent[..., 1, :])
    return xp.exp(xp.minimum(exponent, 0.0)) / -math.expm1(-contour.step)


def _unseen(table: SinhTable, up: Any, amplitudes: Any) -> Any:
    """Σ amplitude·|wave|, shape (…, n_maturities, n_columns)."""
    xp = array_namespace(table.log_moneyness, amplitudes)
    parts = xp.matmul(amplitudes[..., None, :], table.wave_sizes)[..., 0, :].sum(axis=-2)
    return xp.where(up, parts[..., 0, :], parts[..., 1, :])


def node_count(
    model: Model,
    layout: MaturityTable,
    drift: np.ndarray,
    *,
    tolerance: float,
    step: float,
    tilt: float = TILT,
    order: int = 0,
) -> np.ndarray:
    """Nodes after which the integrand times |ξ|^order stays below the tolerance, by a coarse scan.

    Parameters
    ----------
    layout : MaturityTable
    drift : ndarray, shape (…, n_maturities)
        ω_T.

    Returns
    -------
    ndarray of int, shape (…,)
        For the most demanding maturity; a multiple of eight.
    """
    scan = sinh_contour(tilt, SCAN_STEP, SCAN_NODES)
    nodes, years = scan.frequencies[:-1], layout.maturity_years
    expanded = model.expanded(2)
    level = np.real(expanded.log_cf(nodes, years[:, None]))
    log_ripple = expanded.log_ripple(nodes, years[:, None])
    if log_ripple is not None:
        level = level + rise(log_ripple)
    level = level + (scan.flat_log_weights.real + order * np.log(np.abs(nodes)))
    level = level - math.log(TRUNCATION * tolerance * SCAN_STEP)
    x = _nearest(layout, drift, np.asarray(model.expanded(1).cumulants(years)[0]))
    # Axes: (…, maturity, one of two contracts, side, node).
    level = level.reshape(*level.shape[:-1], 1, 2, SCAN_NODES)
    level = level - x[..., None, None] * nodes.imag.reshape(2, SCAN_NODES)
    area = np.maximum(level, 0.0).sum(axis=-1)
    up = area[..., 0] <= area[..., 1]
    alive = np.where(up[..., None], level[..., 0, :], level[..., 1, :]) > 0.0
    position = SCAN_STEP * np.arange(SCAN_NODES).reshape(-1, 2).T.ravel()
    reached = np.where(alive.any(axis=(-3, -2)), position, 0.0).max(axis=-1)
    blocks = np.ceil((reached + SCAN_STEP) / step / NODE_BLOCK)
    return np.asarray(NODE_BLOCK * np.maximum(blocks, 1.0), dtype=int)


def _nearest(layout: MaturityTable, drift: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """ln(F/K) + ω_T of the contracts that lie nearest to 0 and to −`mean`, (…, n_rows, 2)."""
    x = np.where(layout.occupied, layout.log_moneyness, np.inf) + drift[..., None]
    targets = np.stack(np.broadcast_arrays(0.0, -mean), axis=-1)
    index = np.abs(x[..., None, :] - targets[..., None]).argmin(axis=-1)
    return np.take_along_axis(x, index, axis=-1)
