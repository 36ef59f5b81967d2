"""Sampling of a model from its characteristic function."""

from typing import Any, Final

import numpy as np

from levy_numerics.models.base import Model

_N_CELLS: Final = 2**19
# −log of the probability outside the grid that is accepted on either side, 7e-13.
_LOG_TAIL: Final = 28.0
# −log of the characteristic function that is accepted at the last frequency, 2e-9: without the
# damping, truncation would cause oscillations of the density (Gibbs).
_LOG_DAMPING: Final = 20.0


def sample_by_inversion(
    model: Model, rng: np.random.Generator, maturity_years: float, size: int
) -> np.ndarray:
    """Draw from the law of X_T by inversion of its distribution function, computed by one FFT.

    The grid has 2¹⁹ cells. The law is smoothed until its characteristic function vanishes at the
    last frequency: each draw has an independent error with a standard deviation of at most 2.1
    cells. The grid contains all but 2e-12 of the probability, by Chernoff's bound. It is about 50
    standard deviations wide for moderate tails, and a few thousand for one day of rare jumps. A
    density need not exist: an atom becomes a narrow normal.

    Parameters
    ----------
    model : Model
        One parameter set.
    rng : numpy.random.Generator
        Source of randomness.
    maturity_years : float
        T.
    size : int
        Number of draws.

    Returns
    -------
    ndarray, shape (size,)
        Without drift correction.

    References
    ----------
    Devroye (1981), Computers and Mathematics with Applications 7(6), 547-552; Ballotta and
    Kyriakou (2014), Journal of Futures Markets 34(12), 1095-1121.
    """
    below, above = _tail_bounds(model, maturity_years)
    cell = (above - below) / _N_CELLS
    u = 2.0 * np.pi / (above - below) * np.arange(_N_CELLS // 2 + 1)
    log_cf = model.log_cf(u + 0j, maturity_years) - 1j * u * (below + 0.5 * cell)
    damping = max(_LOG_DAMPING + float(np.real(log_cf[-1])), 0.0)
    log_cf -= damping * (u / u[-1]) ** 2
    masses = np.fft.irfft(np.exp(np.conj(log_cf)), n=_N_CELLS)
    # Rounding leaves some cells slightly negative; the distribution function must not decrease.
    cumulated = np.concatenate([[0.0], np.cumsum(np.maximum(masses, 0.0))])
    edges = below + cell * np.arange(_N_CELLS + 1)
    return np.asarray(np.interp(rng.random(size) * cumulated[-1], cumulated, edges))


def _tail_bounds(model: Model, maturity_years: float) -> tuple[float, float]:
    """Return points beyond which X_T lies with a probability below exp(−28), on either side.

    P(X > x) ≤ E[exp(sX)]·exp(−sx) for every s inside the strip; the smallest of 64 bounds is used.
    """
    mean, variance, _, _ = (float(k) for k in model.cumulants(maturity_years))
    fractions = np.geomspace(1e-3, 0.999, 64)
    bounds: list[float] = []
    for sign, end in zip((-1.0, 1.0), reversed(model.strip(maturity_years)), strict=True):
        s = fractions * min(float(end), 10.0 / np.sqrt(variance))
        log_moment: Any = np.real(model.log_cf(-1j * sign * s, maturity_years)) - sign * s * mean
        bounds.append(mean + sign * float(np.min((log_moment + _LOG_TAIL) / s)))
    return bounds[0], bounds[1]
