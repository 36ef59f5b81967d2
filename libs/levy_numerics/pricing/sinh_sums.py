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
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import numpy as np

from levy_numerics.market import MaturityTable
from levy_numerics.models.base import Model
from levy_numerics.pricing.contour import SAFETY, TILT, Contour, sinh_contour
from levy_numerics.pricing.ripples import hidden, rise
from levy_numerics.special import array_namespace, either

_LARGEST_EXPONENT: Final = 680.0
"""exp() of more, summed over nodes, might overflow."""
_ROUNDING: Final = 4e-15
_TRUNCATION: Final = 0.1
_SCAN_STEP: Final = 0.5
_SCAN_NODES: Final = 72
_NODE_BLOCK: Final = 8
_INSIGNIFICANT: Final = math.log(1e-14)
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
    waves : array, shape (2, 2, n_maturities, n_nodes, n_columns)
        Real parts, then negated imaginary parts; the first two axes are the contour's.
    forward_ratio : array, shape (n_maturities, n_columns)
        F/K.
    probe_decay : array of float32, shape (n_probes, 2, n_maturities, n_columns)
        Im ξ·(x + origin) at the contour's probes, to which the choice of wings is rough enough.
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
        nodes = xp.asarray(contour.nodes)[:, :, None, :, None]
        x = (log_moneyness + origin[:, None])[:, None, :]
        size = xp.exp(xp.minimum(-xp.imag(nodes) * x, _LARGEST_EXPONENT))
        phase = xp.real(nodes) * x
        waves = xp.concatenate([size * xp.cos(phase), -size * xp.sin(phase)], axis=-2)
        imaginary = contour.nodes[:, 1][:, contour.probes].imag.T[:, :, None, None]
        decay = xp.asarray(imaginary * x[:, 0], dtype=np.float32)
        ratio = xp.exp(log_moneyness)
        return cls(contour, maturity_years, log_moneyness, origin, waves, ratio, decay)

    def reaches(self, drift: np.ndarray) -> bool:
        """Whether all nodes count for sets of this drift."""
        farthest = float(np.max(np.abs(drift - self.origin)))
        return farthest * self.contour.reach <= _LARGEST_EXPONENT

    @cached_property
    def wave_sizes(self) -> Any:
        """|exp(iξ(x + origin))|, shape (2, 2, n_maturities, n_nodes / 2, n_columns)."""
        xp = array_namespace(self.waves)
        half = self.waves.shape[-2] // 2
        return xp.hypot(self.waves[..., :half, :], self.waves[..., half:, :])


@dataclass(frozen=True)
class Factors:
    """What multiplies the integrand, so that its sums are derivatives of the value.

    Attributes
    ----------
    values : callable, optional
        (model, ξ, T, ω_T) ↦ factors, stacked on a new first axis; none unless given.
    at_poles : tuple of pairs of float
        Each factor's value at the payoff's poles ξ = 0 and ξ = −i, by which the poles' share of
        the rule's error is multiplied; empty if all vanish there, as they do where a parameter
        changes neither the mass of the distribution nor its forward.
    order : int
        Highest power of ξ with which a factor grows, if sums are to be cut where it has died.
    """

    values: Callable[[Model, Any, Any, Any], Any] | None = None
    at_poles: tuple[tuple[float, float], ...] = ()
    order: int = 0


@dataclass(frozen=True)
class Covered:
    """E[min(S_T, K)]/K on a table, and derivatives of it.

    Attributes
    ----------
    value, error : arrays, shape (…, n_maturities, n_columns)
    terms : array, shape (n_terms, …, n_maturities, n_columns)
        One for each factor.
    """

    value: Any
    error: Any
    terms: Any


NO_FACTORS: Final = Factors()


def covered(table: SinhTable, model: Model, drift: Any, factors: Factors = NO_FACTORS) -> Covered:
    """E[min(S_T, K)]/K with its error, and its derivatives, for every contract of the table.

    Parameters
    ----------
    model : Model
        Fields are numbers, or arrays of shape (n_sets,).
    drift : array, shape (…, n_maturities)
        ω_T.
    """
    xp = array_namespace(table.log_moneyness, drift)
    nodes = xp.asarray(table.contour.nodes[:, :, None, :])
    years = table.maturity_years[:, None]
    expanded, omega = model.expanded(4), drift[..., None, None, :, None]
    shift = 1j * nodes * (omega - table.origin[:, None])
    weights = xp.asarray(table.contour.log_weights[:, :, None, :])
    log_amplitude = expanded.log_cf(nodes, years) + shift + weights
    # Past the largest exponent the wave has underflown; `_tail` knows.
    excess = xp.real(log_amplitude) - _LARGEST_EXPONENT
    amplitude = either(
        excess.max() <= 0.0,
        lambda: xp.exp(log_amplitude),
        lambda: xp.exp(log_amplitude - xp.maximum(excess, 0.0)),
    )
    terms = amplitude[None]
    if factors.values is not None:
        terms = xp.concatenate([terms, factors.values(expanded, nodes, years, omega) * amplitude])
    log_ripple = expanded.log_ripple(nodes, years)
    envelope = log_amplitude if log_ripple is None else xp.real(log_amplitude) + rise(log_ripple)
    up = _wings_up(table, envelope)
    fine, coarse = _sums(table, up, terms)
    poles = 1.0 + table.forward_ratio
    value = fine[0] - table.contour.pole_error * poles
    difference = value - (coarse[0] - table.contour.coarse_pole_error * poles)
    lost = _LARGEST_EXPONENT / xp.maximum(xp.abs(drift - table.origin), _TINY)
    if factors.order:
        envelope = envelope + factors.order * xp.log(xp.abs(nodes))
    tail = _tail(table, up, lost, envelope)
    error = _discretisation(table, difference) + tail + _ROUNDING * poles
    if log_ripple is not None:
        error = error + _unseen(table, up, hidden(log_ripple, envelope))
    terms = fine[1:] - table.contour.pole_error * _at_poles(table, factors)
    return Covered(value, xp.where(xp.isfinite(difference), error, xp.inf), terms)


def _at_poles(table: SinhTable, factors: Factors) -> Any:
    """Residues, up to a constant, of the terms' integrands at the two poles together."""
    if not factors.at_poles:
        return 0.0
    xp = array_namespace(table.log_moneyness)
    ratio = table.forward_ratio
    return xp.stack([at_zero + at_minus_i * ratio for at_zero, at_minus_i in factors.at_poles])


def _wings_up(table: SinhTable, envelope: Any) -> Any:
    """Which wings to take, boolean, shape (…, n_maturities, n_columns).

    In theory x + ω_T ≥ 0 decides for wings up; but where the distribution is nearly Gaussian
    until its tails set in, its mean does. The integrand itself knows: what counts is how far,
    at a few nodes, its logarithm stands above insignificance.
    """
    xp = array_namespace(table.log_moneyness, envelope)
    size = xp.real(envelope[..., 1, :, :])[..., table.contour.probes] - _INSIGNIFICANT
    # Probes lead, so that their sum is one of whole arrays.
    size = xp.moveaxis(xp.asarray(size, dtype=np.float32), -1, 0)[..., None]
    decay = table.probe_decay
    decay = decay.reshape(decay.shape[0], *(1,) * (size.ndim - 4), *decay.shape[1:])
    area = xp.maximum(size - decay, np.float32(0.0)).sum(axis=0)
    return area[..., 0, :, :] <= area[..., 1, :, :]


def _sums(table: SinhTable, up: Any, amplitudes: Any) -> tuple[Any, Any]:
    """Re Σ amplitude·exp(iξ(x + origin)), on the side of the contour each contract needs.

    Parameters
    ----------
    amplitudes : complex array, shape (…, 2, 2, n_maturities, n_nodes / 2)

    Returns
    -------
    fine, coarse : arrays, shape (…, n_maturities, n_columns)
        The rule with steps h and 2h.
    """
    xp = array_namespace(table.log_moneyness, amplitudes)
    rows = xp.concatenate([xp.real(amplitudes), xp.imag(amplitudes)], axis=-1)
    lead = rows.shape[:-4]
    # One product per side, parity and maturity; terms and parameter sets are its rows.
    rows = xp.moveaxis(rows.reshape(-1, *rows.shape[-4:]), 0, -2)
    parts = xp.moveaxis(xp.matmul(rows, table.waves), -2, 0)
    parts = parts.reshape(*lead, *parts.shape[1:])
    chosen = xp.where(up[..., None, :, :], parts[..., 0, :, :, :], parts[..., 1, :, :, :])
    even = chosen[..., 0, :, :]
    return even + chosen[..., 1, :, :], 2.0 * even


def _discretisation(table: SinhTable, difference: Any) -> Any:
    """Error of the rule with step h, from its difference to the rule with step 2h.

    With convergence like c·q², q = exp(−πd/h), the difference is e = cq and e²/c is our error;
    c is 0.01 and more for the bulk of a distribution, but less for its rare jumps: e·q counts
    as well. e oscillates with the strike and may vanish by accident: the largest of the
    maturity counts, and never less than what the rule usually errs by.
    """
    xp = array_namespace(table.log_moneyness, difference)
    ratio = table.forward_ratio
    largest = (xp.abs(difference) / ratio).max(axis=-1, keepdims=True) * ratio
    observed = largest * (SAFETY * largest + table.contour.usual_rate)
    return observed + table.contour.usual_error * (1.0 + ratio)


def _tail(table: SinhTable, up: Any, lost: Any, envelope: Any) -> Any:
    """What the nodes left out would add; it falls at least as fast as |dξ/ξ²|.

    Parameters
    ----------
    lost : array, shape (…, n_maturities)
        |Im ξ| past which wave and amplitude leave the floating-point range, one growing while
        the other falls: the sum effectively ends there.
    """
    xp = array_namespace(table.log_moneyness, lost)
    reach = table.contour.nodes[:, 1].imag
    x = table.log_moneyness + table.origin[:, None]

    def at_end() -> Any:
        size = xp.real(envelope[..., 1, :, -1])[..., None]
        return size - xp.asarray(reach[:, -1])[:, None, None] * x

    def before_loss() -> Any:
        end = xp.maximum((xp.abs(reach[0]) <= lost[..., None]).sum(axis=-1) - 1, 0)
        last = xp.moveaxis(xp.asarray(reach)[:, end], 0, -2)
        index = xp.broadcast_to(end[..., None, :, None], (*last.shape, 1))
        size = xp.take_along_axis(xp.real(envelope[..., 1, :, :]), index, axis=-1)
        return size - last[..., None] * x

    exponent = either((lost >= table.contour.reach).all(), at_end, before_loss)
    exponent = xp.where(up, exponent[..., 0, :, :], exponent[..., 1, :, :])
    return xp.exp(xp.minimum(exponent, 0.0)) / -math.expm1(-table.contour.step)


def _unseen(table: SinhTable, up: Any, amplitudes: Any) -> Any:
    """Σ amplitude·|wave|, shape (…, n_maturities, n_columns)."""
    xp = array_namespace(table.log_moneyness, amplitudes)
    parts = xp.matmul(amplitudes[..., None, :], table.wave_sizes)[..., 0, :].sum(axis=-3)
    return xp.where(up, parts[..., 0, :, :], parts[..., 1, :, :])


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
    scan = sinh_contour(tilt, _SCAN_STEP, _SCAN_NODES)
    nodes = scan.nodes[:, :, None, :]
    years = layout.maturity_years
    expanded = model.expanded(4)
    level = np.real(expanded.log_cf(nodes, years[:, None]))
    log_ripple = expanded.log_ripple(nodes, years[:, None])
    if log_ripple is not None:
        level = level + rise(log_ripple)
    level = level + np.real(scan.log_weights[:, :, None, :]) + order * np.log(np.abs(nodes))
    mean = np.asarray(model.expanded(1).cumulants(years)[0])
    x = np.stack([_nearest(layout, -drift), _nearest(layout, -drift - mean)]) + drift
    level = level - math.log(_TRUNCATION * tolerance * _SCAN_STEP)
    # Nodes lead, so that sums and maxima are of whole arrays.
    level = np.moveaxis(level, (-3, -1), (0, 1))
    imaginary = np.moveaxis(nodes.imag, (1, 3), (0, 1)).reshape(
        2, -1, *(1,) * (level.ndim - 4), 2, 1
    )
    level = level[:, :, None] - imaginary[:, :, None] * x[..., None, :]
    area = np.maximum(level, 0.0).sum(axis=(0, 1))
    up = area[..., 0, :] <= area[..., 1, :]
    alive = np.where(up, level[..., 0, :], level[..., 1, :]) > 0.0
    position = _SCAN_STEP * np.arange(_SCAN_NODES).reshape(-1, 2).T
    highest = alive.any(axis=(2, -1))
    reached = np.where(highest, position.reshape(2, -1, *(1,) * (highest.ndim - 2)), 0.0).max(
        axis=(0, 1)
    )
    blocks = np.ceil((reached + _SCAN_STEP) / step / _NODE_BLOCK)
    return np.asarray(_NODE_BLOCK * np.maximum(blocks, 1.0), dtype=int)


def _nearest(layout: MaturityTable, target: np.ndarray) -> np.ndarray:
    """ln(F/K) of each maturity's contract that lies nearest to `target`, shape (…, n_rows)."""
    x = layout.log_moneyness
    distance = np.where(layout.occupied, np.abs(x - target[..., None]), np.inf)
    index = distance.argmin(axis=-1)[..., None]
    return np.take_along_axis(np.broadcast_to(x, distance.shape), index, axis=-1)[..., 0]
