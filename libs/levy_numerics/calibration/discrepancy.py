"""Covariance of quote errors from a Gaussian process on the residuals of a fit (REML).

The errors are those of the quotes, independent, and a discrepancy between model and market that is
a smooth function of strike and maturity:

    Ω = σ²·I + D(K₁ + K₂)D,

D the change of a residual with its implied volatility, K₁ a kernel within each expiry, K₂ one
across expiries, both exponential. Variances and lengths maximise the restricted likelihood of the
residuals, which allows for what the fit has absorbed. The process is constant within cells of
adjacent strikes, so that all matrices have the number of cells, not of quotes.

References
----------
Kennedy and O'Hagan (2001), Bayesian calibration of computer models, Journal of the Royal
Statistical Society B 63(3), 425-464.
Patterson and Thompson (1971), Recovery of inter-block information when block sizes are unequal,
Biometrika 58(3), 545-554 (REML).
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize

from levy_numerics.market import Contracts

_N_CELLS: Final = 160
_N_EVALUATIONS: Final = 90
# Log-normal priors of the kernels' variances, relative to that of the noise, and of their lengths
# in deviations of strike; the length of K₂ in ln T is the same number.
_MEDIANS: Final = np.array([-2.0, -2.0, np.log(0.7), 0.0])
_DEVIATIONS: Final = np.array([3.0, 3.0, 0.7, 0.7])
# The kernel across expiries decays over twice its length along the smile.
_ALONG_SMILE: Final = 2.0
_JITTER: Final = 1e-10
# Expiries are a small sample of what the long kernel describes, and a fit to few has few degrees.
_LEAST_DEGREES: Final = 3


def discrepancy_covariance(
    directions: np.ndarray,
    residuals: np.ndarray,
    by_vol: np.ndarray,
    vols: np.ndarray,
    contracts: Contracts,
) -> tuple[np.ndarray, int]:
    """Return the covariance of the estimate along orthonormal directions, and its degrees.

    Parameters
    ----------
    directions : ndarray, shape (n, k)
        Orthonormal columns that span the columns of the Jacobian.
    residuals : ndarray, shape (n,)
        Weighted.
    by_vol : ndarray, shape (n,)
        Change of the residuals with implied volatility.
    vols : ndarray, shape (n,)
        Implied volatilities of the fit, which scale moneyness.
    contracts : Contracts
        n of them.

    Returns
    -------
    covariance : ndarray, shape (k, k)
        UᵀΩU.
    degrees_of_freedom : int
        Expiries less one, and at least three.
    """
    cells = _Cells.of(directions, residuals, by_vol, vols, contracts)

    def loss(log_parameters: np.ndarray) -> float:
        prior = np.sum(((log_parameters - _MEDIANS) / _DEVIATIONS) ** 2)
        return float(cells.evaluate(log_parameters)[0] + prior)

    found = minimize(
        loss,
        _MEDIANS,
        method="Nelder-Mead",
        options={"maxfev": _N_EVALUATIONS, "xatol": 0.1, "fatol": 0.1},
    )
    _, noise, kernel = cells.evaluate(found.x)
    along = cells.directions
    covariance = noise * (np.eye(along.shape[1]) + along.T @ kernel @ along)
    n_expiries = contracts.by_maturity.maturity_groups[0].size
    return covariance, max(n_expiries - 1, _LEAST_DEGREES)


@dataclass(frozen=True)
class _Cells:
    """Sums over the quotes of each of m cells, which determine the likelihood.

    Attributes
    ----------
    n_quotes : int
    square : float
        Σr², r without its components along the directions.
    weight, residual : ndarray, shape (m,)
        Σd² and Σdr, d the change of a residual with volatility.
    directions : ndarray, shape (m, k)
        ΣdU.
    apart : ndarray, shape (2, m, m)
        Distances in deviations of strike and in ln T.
    same_expiry : ndarray of bool, shape (m, m)
    """

    n_quotes: int
    square: float
    weight: np.ndarray
    residual: np.ndarray
    directions: np.ndarray
    apart: np.ndarray
    same_expiry: np.ndarray

    @classmethod
    def of(
        cls,
        directions: np.ndarray,
        residuals: np.ndarray,
        by_vol: np.ndarray,
        vols: np.ndarray,
        contracts: Contracts,
    ) -> Self:
        maturities, expiry = contracts.by_maturity.maturity_groups
        typical = np.array([np.median(vols[expiry == k]) for k in range(maturities.size)])
        deviation = typical[expiry] * np.sqrt(contracts.maturity_years)
        moneyness = -contracts.log_moneyness / deviation
        cell, n_cells = _cells(expiry, moneyness, max(1, _N_CELLS // maturities.size))
        # Volatility errors count in units of their typical effect on a residual.
        d = by_vol / np.sqrt(np.mean(by_vol**2))
        r = residuals - directions @ (directions.T @ residuals)

        def total(values: np.ndarray) -> np.ndarray:
            return np.bincount(cell, values, n_cells)

        count = total(np.ones(r.size))
        at = np.stack([total(moneyness), total(np.log(contracts.maturity_years))]) / count
        of_cell = np.empty(n_cells, dtype=int)
        of_cell[cell] = expiry
        return cls(
            r.size,
            float(r @ r),
            total(d**2),
            total(d * r),
            np.stack([total(d * column) for column in directions.T], axis=1),
            np.abs(at[:, :, None] - at[:, None, :]),
            of_cell[:, None] == of_cell,
        )

    def evaluate(self, log_parameters: np.ndarray) -> tuple[float, float, np.ndarray]:
        """Return −2 log of the restricted likelihood, σ², and (K₁ + K₂)/σ², shape (m, m).

        σ² is the one that maximises it.
        """
        within, across, short, long = np.exp(log_parameters)
        strikes, times = self.apart
        kernel = within * np.exp(-strikes / short) * self.same_expiry
        kernel += across * np.exp(-strikes / (_ALONG_SMILE * long) - times / long)
        m, n_directions = self.directions.shape
        jitter = _JITTER * (within + across)
        root = cholesky(kernel + jitter * np.eye(m), lower=True, check_finite=False)
        inner = (root.T * self.weight) @ root
        inner.flat[:: m + 1] += 1.0
        factor = cholesky(inner, lower=True, check_finite=False)
        columns = np.column_stack([self.residual, self.directions])
        solved = solve_triangular(factor, root.T @ columns, lower=True, check_finite=False)
        residual, directions = solved[:, 0], solved[:, 1:]
        # UᵀΩ⁻¹U and UᵀΩ⁻¹r, in units of 1/σ².
        information = np.eye(n_directions) - directions.T @ directions
        score = -directions.T @ residual
        explained = residual @ residual + score @ np.linalg.solve(information, score)
        degrees = self.n_quotes - n_directions
        square = max(float(self.square - explained), float(np.finfo(float).tiny))
        deviance = degrees * np.log(square) + 2.0 * np.log(np.diag(factor)).sum()
        return float(deviance + np.linalg.slogdet(information)[1]), square / degrees, kernel


def _cells(expiry: np.ndarray, moneyness: np.ndarray, most: int) -> tuple[np.ndarray, int]:
    """Return the cell of each quote: adjacent strikes of one expiry; and the number of cells."""
    cell, n_cells = np.empty(expiry.size, dtype=int), 0
    for k in range(int(expiry.max()) + 1):
        members = np.flatnonzero(expiry == k)
        ordered = members[np.argsort(moneyness[members], kind="stable")]
        n_here = min(most, members.size)
        cell[ordered] = n_cells + np.arange(members.size) * n_here // members.size
        n_cells += n_here
    return cell, n_cells
