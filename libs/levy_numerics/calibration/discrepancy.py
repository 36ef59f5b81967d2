"""Covariance of quote errors from a Gaussian process on the residuals of a fit (REML).

The errors are those of the quotes, independent, and a discrepancy between model and market that is
a smooth function of strike and maturity:

    Ω = σ²(I + D(K₁ + K₂)D),

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
from functools import cached_property
from typing import Final, Self

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize

from levy_numerics.market import Contracts

N_CELLS: Final = 160
"""Cells of all expiries together, at most, unless there are more expiries."""
_N_EVALUATIONS: Final = 90
# Log-normal priors of the kernels' variances, relative to that of the noise, and of their lengths
# in deviations of strike; the length of K₂ in ln T is the same number.
_MEDIANS: Final = np.array([-2.0, -2.0, np.log(0.7), 0.0])
_DEVIATIONS: Final = np.array([3.0, 3.0, 0.7, 0.7])
# The kernel across expiries decays over twice its length along the smile.
_ALONG_SMILE: Final = 2.0
_JITTER: Final = 1e-10
# Distance in ln T of points of one expiry: rounding only.
_SAME_EXPIRY: Final = 1e-9
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
    directions, residuals, by_vol, vols, contracts
        See `Discrepancy.of`.

    Returns
    -------
    covariance : ndarray, shape (k, k)
        UᵀΩU.
    degrees_of_freedom : int
        Expiries less one, and at least three.
    """
    process = Discrepancy.of(directions, residuals, by_vol, vols, contracts)
    along = directions.T @ process.factor(by_vol)
    covariance = process.noise * (np.eye(len(along)) + along @ along.T)
    return covariance, process.degrees_of_freedom


@dataclass(frozen=True)
class Discrepancy:
    """Gaussian process f of the difference between model and market, and the noise of quotes.

    A residual is D·f + ε, with ε of variance σ², and f of covariance σ²(K₁ + K₂). A unit of f is
    the error of volatility that changes the residuals of the fit by one, in the mean square.

    Attributes
    ----------
    kernel : Kernel
    noise : float
        σ², squared residual.
    square : float
        Least square of the residuals, whitened, that parameters can reach: (n − k)σ².
    unit : float
        Change of a residual with volatility, root mean square.
    vols : ndarray, shape (n,)
        Implied volatilities of the fit.
    degrees_of_freedom : int
        Of the estimate: expiries less one, and at least three.
    frame : Frame
        Coordinates of the kernel.
    cell : ndarray of int, shape (n,)
        Cell of each quote.
    cells : ndarray, shape (2, m)
        Coordinates of the cells.
    """

    kernel: "Kernel"
    noise: float
    square: float
    unit: float
    vols: np.ndarray
    degrees_of_freedom: int
    frame: "Frame"
    cell: np.ndarray
    cells: np.ndarray

    @classmethod
    def of(
        cls,
        directions: np.ndarray,
        residuals: np.ndarray,
        by_vol: np.ndarray,
        vols: np.ndarray,
        contracts: Contracts,
    ) -> Self:
        """Estimate the process from the residuals of a fit.

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
        """
        cells = _Cells.of(directions, residuals, by_vol, vols, contracts)

        def loss(log_parameters: np.ndarray) -> float:
            prior = np.sum(((log_parameters - _MEDIANS) / _DEVIATIONS) ** 2)
            return float(cells.evaluate(log_parameters)[0] + prior)

        estimate = minimize(
            loss,
            _MEDIANS,
            method="Nelder-Mead",
            options={"maxfev": _N_EVALUATIONS, "xatol": 0.1, "fatol": 0.1},
        ).x
        noise = cells.evaluate(estimate)[1]
        return cls(
            kernel=Kernel(*np.exp(estimate).tolist()),
            noise=noise,
            square=noise * (residuals.size - directions.shape[1]),
            unit=_unit(by_vol),
            vols=vols,
            degrees_of_freedom=max(cells.frame.maturities.size - 1, _LEAST_DEGREES),
            frame=cells.frame,
            cell=cells.cell,
            cells=cells.points,
        )

    @cached_property
    def root(self) -> np.ndarray:
        """Cholesky factor of (K₁ + K₂) at the cells, lower, shape (m, m)."""
        return self.kernel.root(_distances(self.cells, self.cells))

    def factor(self, by_vol: np.ndarray) -> np.ndarray:
        """Return V with D(K₁ + K₂)D = VVᵀ, shape (n, m).

        Parameters
        ----------
        by_vol : ndarray, shape (n,)
            Change of the residuals with volatility, not necessarily in the unit of the fit.
        """
        return np.asarray((by_vol / self.unit)[:, None] * self.root[self.cell])

    def conditional(
        self, by_vol: np.ndarray, contracts: Contracts
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return how f at other contracts depends on the residuals of the quotes.

        Parameters
        ----------
        by_vol : ndarray, shape (n,)
            As for `factor`.
        contracts : Contracts
            k of them.

        Returns
        -------
        gain : ndarray, shape (k, n)
            E[f | residuals] = gain · residuals.
        variance : ndarray, shape (k,)
            Conditional variance of f, in units of σ².

        References
        ----------
        Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, eqs. (2.23), (2.24).
        """
        across = self.kernel.between(_distances(self.cells, self.frame.points(contracts)))
        whitened = solve_triangular(self.root, across, lower=True, check_finite=False)
        factor = self.factor(by_vol)
        inner = cholesky(np.eye(len(whitened)) + factor.T @ factor, lower=True, check_finite=False)
        known = solve_triangular(inner, whitened, lower=True, check_finite=False)
        gain = known.T @ solve_triangular(inner, factor.T, lower=True, check_finite=False)
        variance = self.kernel.variance - np.sum(whitened**2, axis=0) + np.sum(known**2, axis=0)
        return gain, np.maximum(variance, 0.0)


@dataclass(frozen=True)
class Kernel:
    """Variances in units of σ², and lengths in deviations of strike, of K₁ and K₂."""

    within: float
    across: float
    short: float
    long: float

    @property
    def variance(self) -> float:
        """Variance of the process at a point."""
        return self.within + self.across

    def between(self, distances: np.ndarray) -> np.ndarray:
        """Return K₁ + K₂, shape (m, k), for distances, shape (2, m, k)."""
        strikes, times = distances
        kernel = self.within * np.exp(-strikes / self.short) * (times < _SAME_EXPIRY)
        kernel += self.across * np.exp(-strikes / (_ALONG_SMILE * self.long) - times / self.long)
        return np.asarray(kernel)

    def root(self, distances: np.ndarray) -> np.ndarray:
        """Return the Cholesky factor of K₁ + K₂, lower, shape (m, m)."""
        jitter = _JITTER * self.variance * np.eye(distances.shape[1])
        return np.asarray(
            cholesky(self.between(distances) + jitter, lower=True, check_finite=False)
        )


@dataclass(frozen=True)
class Frame:
    """Coordinates of the process: strikes in deviations of the log return, and ln T.

    Attributes
    ----------
    maturities, vols : ndarray, shape (n_expiries,)
        Quoted maturities in years, and the median volatility of each.
    """

    maturities: np.ndarray
    vols: np.ndarray

    def points(self, contracts: Contracts) -> np.ndarray:
        """Return the coordinates of contracts, shape (2, n)."""
        log_years = np.log(contracts.maturity_years)
        vols = np.interp(log_years, np.log(self.maturities), self.vols)
        moneyness = -contracts.log_moneyness / (vols * np.sqrt(contracts.maturity_years))
        return np.stack([moneyness, log_years])


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
    frame : Frame
    cell : ndarray of int, shape (n,)
        Cell of each quote.
    points : ndarray, shape (2, m)
        Mean coordinates of the quotes of each cell.
    distances : ndarray, shape (2, m, m)
        Distances of the cells in both coordinates.
    """

    n_quotes: int
    square: float
    weight: np.ndarray
    residual: np.ndarray
    directions: np.ndarray
    frame: Frame
    cell: np.ndarray
    points: np.ndarray
    distances: np.ndarray

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
        frame = Frame(maturities, typical)
        moneyness, log_years = frame.points(contracts)
        cell, n_cells = _cells(expiry, moneyness, max(1, N_CELLS // maturities.size))
        d = by_vol / _unit(by_vol)
        r = residuals - directions @ (directions.T @ residuals)

        def total(values: np.ndarray) -> np.ndarray:
            return np.bincount(cell, values, n_cells)

        points = np.stack([total(moneyness), total(log_years)]) / total(np.ones(r.size))
        return cls(
            r.size,
            float(r @ r),
            total(d**2),
            total(d * r),
            np.stack([total(d * column) for column in directions.T], axis=1),
            frame,
            cell,
            points,
            _distances(points, points),
        )

    def evaluate(self, log_parameters: np.ndarray) -> tuple[float, float]:
        """Return −2 log of the restricted likelihood, and σ², the one that maximises it."""
        root = Kernel(*np.exp(log_parameters)).root(self.distances)
        m, n_directions = self.directions.shape
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
        return float(deviance + np.linalg.slogdet(information)[1]), square / degrees


def _unit(by_vol: np.ndarray) -> float:
    """Return the typical change of a residual with volatility."""
    return float(np.sqrt(np.mean(by_vol**2)))


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the distances of points, shapes (2, m) and (2, k), in each coordinate: (2, m, k)."""
    return np.asarray(np.abs(first[:, :, None] - second[:, None, :]))


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
