"""The jackknife over expiries against refits without each expiry, and its coverage."""

import numpy as np
import pytest

from levy_numerics.calibration.cluster_jackknife import error_clusters, jackknife_covariance
from levy_numerics.market import Contracts
from tests.numerics.calibration.surfaces import CONTRACTS


def test_it_is_the_jackknife_of_linear_fits() -> None:
    rng = np.random.default_rng(0)
    design, target = rng.standard_normal((40, 3)), rng.standard_normal(40)
    cluster = rng.integers(0, 6, 40)
    left, singular, right = np.linalg.svd(design, full_matrices=False)
    whole = np.linalg.lstsq(design, target)[0]
    residuals = target - design @ whole
    along, degrees = jackknife_covariance(left, residuals, cluster)
    covariance = (right.T / singular) @ along @ (right.T / singular).T
    moved = [
        np.linalg.lstsq(design[cluster != g], target[cluster != g])[0] - whole for g in range(6)
    ]
    expected = 5.0 / 6.0 * sum(np.outer(m, m) for m in moved)
    assert degrees == 5
    np.testing.assert_allclose(covariance, expected, rtol=1e-10)


def test_residuals_along_the_directions_do_not_count() -> None:
    # At a bound the gradient is not zero: the solution is that of the linear problem nevertheless.
    rng = np.random.default_rng(1)
    left = np.linalg.qr(rng.standard_normal((30, 2)))[0]
    errors = rng.standard_normal(30)
    residuals = errors - left @ (left.T @ errors)
    cluster = np.arange(30) // 6
    shifted = residuals + left @ np.array([3.0, -1.0])
    np.testing.assert_allclose(
        jackknife_covariance(left, shifted, cluster)[0],
        jackknife_covariance(left, residuals, cluster)[0],
        rtol=1e-10,
    )


def test_clusters_are_expiries() -> None:
    assert np.array_equal(error_clusters(CONTRACTS), np.repeat(np.arange(10), 20))


@pytest.mark.parametrize(("n_expiries", "n_clusters"), [(1, 6), (2, 6)])
def test_few_expiries_are_divided_into_blocks_of_strikes(n_expiries: int, n_clusters: int) -> None:
    strikes = np.linspace(80.0, 120.0, 18)
    order = np.random.default_rng(2).permutation(18 * n_expiries)
    contracts = Contracts.grid(
        spot=100.0,
        rate=0.0,
        dividend_yield=0.0,
        strikes=strikes,
        maturities=np.arange(1, n_expiries + 1) / 4.0,
    ).select(order)
    cluster = error_clusters(contracts)
    assert len(np.unique(cluster)) == cluster.max() + 1 == n_clusters
    for g in range(n_clusters):
        members = contracts.select(cluster == g)
        assert len(np.unique(members.maturity_years)) == 1
        others = contracts.select(
            (cluster != g) & (contracts.maturity_years == members.maturity_years[0])
        )
        between = (others.strike > members.strike.min()) & (others.strike < members.strike.max())
        assert not between.any()


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_intervals_cover_under_errors_that_expiries_share(correlation: float) -> None:
    """Intervals of independent errors cover 60% at a correlation of 0.8, those of clusters 95%."""
    rng = np.random.default_rng(3)
    n_expiries, n_strikes, repeats = 8, 15, 2000
    cluster = np.repeat(np.arange(n_expiries), n_strikes)
    years = np.repeat(np.linspace(0.1, 2.0, n_expiries), n_strikes)
    design = np.stack([np.ones(cluster.size), np.log(years)], axis=1)
    left, singular, right = np.linalg.svd(design, full_matrices=False)
    quantile = 2.3646  # Student t with 7 degrees of freedom, 97.5%.
    hits = np.zeros(2)
    for _ in range(repeats):
        common = rng.standard_normal(n_expiries)[cluster]
        errors = np.sqrt(correlation) * common + np.sqrt(1.0 - correlation) * rng.standard_normal(
            cluster.size
        )
        estimate = right.T @ (left.T @ errors / singular)
        along, degrees = jackknife_covariance(left, errors - left @ (left.T @ errors), cluster)
        assert degrees == 7
        variance = np.diag((right.T / singular) @ along @ (right.T / singular).T)
        hits += np.abs(estimate) <= quantile * np.sqrt(variance)
    assert np.all((hits / repeats > 0.93) & (hits / repeats < 0.98)), hits / repeats
