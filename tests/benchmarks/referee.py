"""Prices to 1e-13 of the forward by brute force, independent of every method under test.

Lewis' formula on the line Im ξ = 1/2,

    C/D = F − √(FK)/π ∫₀^∞ Re[exp(iux) φ_T(u − i/2) exp((iu + 1/2) ω_T)]/(u² + 1/4) du,

x = ln(F/K), by Gauss-Legendre panels that grow with u and resolve exp(iux), until the remainder is
negligible.

References
----------
Lewis (2001), A simple option formula for general jump-diffusion and other exponential Lévy
processes, eq. (3.11).
"""

from typing import Final

import numpy as np

from levy_numerics.market import Contracts
from levy_numerics.models import Model

NODES: Final = 24
FIRST_PANEL: Final = 0.25
GROWTH: Final = 1.1
NEGLIGIBLE: Final = 3e-15
FURTHEST: Final = 3e6


def call_prices(model: Model, contracts: Contracts) -> np.ndarray:
    """Return present values of calls, shape (n,)."""
    value = np.empty(contracts.size)
    for years in np.unique(contracts.maturity_years):
        these = np.flatnonzero(contracts.maturity_years == years)
        x = contracts.log_moneyness[these]
        integral = _integral(model, float(years), x)
        forward, strike = contracts.forward[these], contracts.strike[these]
        value[these] = contracts.discount[these] * (
            forward - np.sqrt(forward * strike) / np.pi * integral
        )
    return value


def _integral(model: Model, years: float, x: np.ndarray) -> np.ndarray:
    drift = float(model.drift_correction(years))
    node, weight = np.polynomial.legendre.leggauss(NODES)
    # A panel covers at most about two periods of exp(iux).
    widest = 4.0 * np.pi / max(float(np.abs(x).max()), 1e-3)
    total, low, width, envelope = np.zeros(x.size), 0.0, FIRST_PANEL, 1.0
    while envelope > NEGLIGIBLE and low < FURTHEST:
        u = low + 0.5 * width * (node + 1.0)
        log_phi = model.log_cf(u - 0.5j, years) + (1j * u + 0.5) * drift
        amplitude = np.exp(log_phi) / (u**2 + 0.25) * (0.5 * width * weight)
        total += (np.exp(1j * np.outer(x, u)) @ amplitude).real
        envelope = float(np.abs(amplitude).sum()) * max(u[0] / width, 1.0)
        low, width = low + width, min(width * GROWTH, widest)
    return total
