"""stochastic-rs' calibrator of Lévy models, in the engine's parameters."""

from collections.abc import Mapping

import numpy as np
import stochastic_rs as sr

from levy_numerics.market import Quotes
from tests.benchmarks import surface

MODELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "VarianceGamma": ("vg", ("sigma", "theta", "nu")),
    "NIG": ("nig", ("alpha", "beta", "delta")),
    "CGMY": ("cgmy", ("C", "G", "M", "Y")),
    "Merton": ("merton_jd", ("sigma", "lam", "mu_j", "sigma_j")),
    "Kou": ("kou", ("sigma", "lam", "p", "eta1", "eta2")),
}
"""Its name for a model, and the order of its parameters."""


def calibrate(name: str, quotes: Quotes) -> Mapping[str, float]:
    """Return the parameters fitted from the library's default start."""
    label, order = MODELS[name]
    years = quotes.contracts.maturity_years
    slices = []
    for maturity in np.unique(years):
        these = years == maturity
        strikes = quotes.contracts.strike[these].tolist()
        calls = quotes.contracts.is_call[these].tolist()
        prices = quotes.price[these].tolist()
        slices.append(sr.MarketSlice(strikes, prices, calls, float(maturity)))
    calibrator = sr.LevyCalibrator(
        slices, surface.SPOT, surface.RATE, surface.DIVIDEND_YIELD, label
    )
    values, _converged, _loss, _iterations = calibrator.calibrate()
    return dict(zip(order, values, strict=True))
