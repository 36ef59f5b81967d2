"""Prices in the Heston and Bates models: markets that no model of the engine can fit exactly."""

import math
from dataclasses import dataclass

import numpy as np

from levy_numerics.market import Contracts

_N_NODES = 2000
_LARGEST_FREQUENCY = 200.0


@dataclass(frozen=True)
class Bates:
    """Stochastic variance dv = κ(θ − v)dt + ξ√v dW, with normal jumps of the log price.

    Attributes
    ----------
    v0, theta, kappa, xi, rho : float
        Initial and long-run variance, speed, volatility of variance, correlation.
    intensity, mean_jump, jump_deviation : float
        Jumps per year, and their log size; no jumps is the model of Heston.

    References
    ----------
    Heston (1993), Review of Financial Studies 6(2), 327-343; Bates (1996), ibid. 9(1), 69-107.
    """

    v0: float
    theta: float
    kappa: float
    xi: float
    rho: float
    intensity: float = 0.0
    mean_jump: float = 0.0
    jump_deviation: float = 0.0

    def log_cf(self, u: np.ndarray, years: float) -> np.ndarray:
        """Return log E[exp(iu·ln(S_T/F))], in the form without discontinuities.

        References
        ----------
        Albrecher, Mayer, Schoutens and Tistaert (2007), The little Heston trap, Wilmott.
        """
        b = self.kappa - 1j * self.rho * self.xi * u
        d = np.sqrt(b**2 + self.xi**2 * (1j * u + u**2))
        g = (b - d) / (b + d)
        decay = np.exp(-d * years)
        log_ratio = np.log((1.0 - g * decay) / (1.0 - g))
        level = self.kappa * self.theta / self.xi**2 * ((b - d) * years - 2.0 * log_ratio)
        rate = self.v0 / self.xi**2 * (b - d) * (1.0 - decay) / (1.0 - g * decay)
        mean = math.expm1(self.mean_jump + 0.5 * self.jump_deviation**2)
        jumps = np.exp(1j * u * self.mean_jump - 0.5 * (self.jump_deviation * u) ** 2) - 1.0
        return np.asarray(level + rate + self.intensity * years * (jumps - 1j * u * mean))

    def price(self, contracts: Contracts) -> np.ndarray:
        """Return present values, shape (n,), to about nine digits of the forward.

        References
        ----------
        Lewis (2001), A simple option formula for general jump-diffusion and other exponential Lévy
        processes, equation 3.11.
        """
        nodes, weights = np.polynomial.legendre.leggauss(_N_NODES)
        u = 0.5 * _LARGEST_FREQUENCY * (nodes + 1.0)
        weights = 0.5 * _LARGEST_FREQUENCY * weights / (u**2 + 0.25)
        calls = np.empty(contracts.size)
        maturities, expiry = contracts.by_maturity.maturity_groups
        for k, years in enumerate(maturities):
            members = np.flatnonzero(expiry == k)
            values = np.exp(self.log_cf(u - 0.5j, float(years))) * weights
            phases = np.exp(1j * u * contracts.log_moneyness[members, None])
            calls[members] = (phases @ values).real
        c = contracts
        calls = c.discount * (c.forward - np.sqrt(c.forward * c.strike) / np.pi * calls)
        return np.asarray(np.where(c.is_call, calls, calls - c.discount * (c.forward - c.strike)))
