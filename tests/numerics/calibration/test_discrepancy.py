"""The Gaussian process on residuals against dense algebra, and its coverage."""

import numpy as np
import pytest

from levy_numerics.calibration.discrepancy import _MEDIANS, _Cells, discrepancy_covariance
from levy_numerics.market import Contracts

STRIKES = 100.0 * np.exp(np.linspace(-0.3, 0.2, 8))
CONTRACTS = Contracts.grid(
    spot=100.0, rate=0.0, dividend_yield=0.0, strikes=STRIKES, maturities=np.linspace(0.25, 2.0, 6)
)
VOLS = np.full(CONTRACTS.size, 0.2)
YEARS = CONTRACTS.maturity_years
MONEYNESS = -CONTRACTS.log_moneyness / (0.2 * np.sqrt(YEARS))
DESIGN = np.linalg.qr(np.stack([np.ones(YEARS.size), np.log(YEARS), MONEYNESS], axis=1))[0]


def kernels(within: float, across: float, short: float, long: float) -> np.ndarray:
    strikes = np.abs(MONEYNESS[:, None] - MONEYNESS)
    times = np.abs(np.log(YEARS)[:, None] - np.log(YEARS))
    near = within * np.exp(-strikes / short) * (YEARS[:, None] == YEARS)
    return np.asarray(near + across * np.exp(-strikes / (2.0 * long) - times / long))


def test_the_likelihood_is_the_restricted_one_of_dense_matrices() -> None:
    rng = np.random.default_rng(0)
    errors = rng.standard_normal(YEARS.size)
    residuals = errors - DESIGN @ (DESIGN.T @ errors)
    cells = _Cells.of(DESIGN, residuals, np.ones(YEARS.size), VOLS, CONTRACTS)

    def dense(point: np.ndarray) -> float:
        omega = np.eye(YEARS.size) + kernels(*np.exp(point))
        inverse = np.linalg.inv(omega)
        information = DESIGN.T @ inverse @ DESIGN
        projected = inverse - inverse @ DESIGN @ np.linalg.solve(information, DESIGN.T @ inverse)
        degrees = YEARS.size - DESIGN.shape[1]
        square = residuals @ projected @ residuals
        logs = np.linalg.slogdet(omega)[1] + np.linalg.slogdet(information)[1]
        return float(degrees * np.log(square) + logs)

    for shift in (0.0, 0.7, -0.5):
        point = _MEDIANS + shift
        assert cells.evaluate(point)[0] == pytest.approx(dense(point), abs=1e-6)


def test_cells_of_several_quotes_keep_every_quote() -> None:
    dense = Contracts.grid(
        spot=100.0,
        rate=0.0,
        dividend_yield=0.0,
        strikes=np.linspace(60.0, 140.0, 100),
        maturities=np.linspace(0.25, 2.0, 6),
    )
    rng = np.random.default_rng(1)
    directions = np.linalg.qr(rng.standard_normal((600, 2)))[0]
    cells = _Cells.of(directions, rng.standard_normal(600), np.ones(600), np.full(600, 0.2), dense)
    assert len(cells.weight) == 6 * 26
    assert cells.weight.sum() == pytest.approx(600.0)
    np.testing.assert_allclose(cells.directions.sum(axis=0), directions.sum(axis=0), atol=1e-12)


@pytest.mark.long
@pytest.mark.parametrize("across", [0.0, 4.0])
def test_intervals_cover_under_a_smooth_discrepancy(across: float) -> None:
    """Without correlation and with one that a fit with independent errors covers in half."""
    rng = np.random.default_rng(2)
    root = np.linalg.cholesky(np.eye(YEARS.size) + kernels(0.5 * across, across, 0.5, 1.0))
    hits = np.zeros(3)
    for _ in range(200):
        errors = root @ rng.standard_normal(YEARS.size)
        estimate = DESIGN.T @ errors
        covariance, degrees = discrepancy_covariance(
            DESIGN, errors - DESIGN @ estimate, np.ones(YEARS.size), VOLS, CONTRACTS
        )
        assert degrees == 5
        hits += np.abs(estimate) <= 2.5706 * np.sqrt(np.diag(covariance))
    assert np.all(hits / 200 >= 0.88), hits / 200
