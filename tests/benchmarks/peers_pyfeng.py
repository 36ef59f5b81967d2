"""PyFENG's FFT and COS pricers on the surface: default settings, and COS with many terms."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyfeng as pf

from levy_numerics.models import Model
from tests.benchmarks import surface

MARKET = {"intr": surface.RATE, "divr": surface.DIVIDEND_YIELD}


def _variance_gamma(cls: Any, p: dict[str, float]) -> Any:
    return cls(p["sigma"], nu=p["nu"], theta=p["theta"], **MARKET)


def _cgmy(cls: Any, p: dict[str, float]) -> Any:
    return cls(C=p["C"], G=p["G"], M=p["M"], Y=p["Y"], **MARKET)


def _nig(cls: Any, p: dict[str, float]) -> Any:
    """Convert (α, β, δ) to a Brownian motion on an inverse Gaussian clock: γ² = α² − β²."""
    gamma = np.sqrt(p["alpha"] ** 2 - p["beta"] ** 2)
    return cls(
        np.sqrt(p["delta"] / gamma),
        nu=1.0 / (p["delta"] * gamma),
        theta=p["beta"] * p["delta"] / gamma,
        **MARKET,
    )


MANY_TERMS = {"n_cos": 2048}

PRICERS: dict[
    str, dict[str, tuple[Callable[[Any, dict[str, float]], Any], Any, dict[str, int]]]
] = {
    "VarianceGamma": {
        "PyFENG VarGammaFft": (_variance_gamma, pf.VarGammaFft, {}),
        "PyFENG VarGammaCos": (_variance_gamma, pf.VarGammaCos, {}),
        "PyFENG VarGammaCos, 2048 terms": (_variance_gamma, pf.VarGammaCos, MANY_TERMS),
    },
    "CGMY": {
        "PyFENG CgmyFft": (_cgmy, pf.CgmyFft, {}),
        "PyFENG CgmyCos": (_cgmy, pf.CgmyCos, {}),
        "PyFENG CgmyCos, 2048 terms": (_cgmy, pf.CgmyCos, MANY_TERMS),
    },
    "NIG": {
        "PyFENG ExpNigFft": (_nig, pf.ExpNigFft, {}),
        "PyFENG NigCos": (_nig, pf.NigCos, {}),
    },
}


def surface_pricer(model_name: str, pricer: str) -> Callable[[Model], np.ndarray]:
    """Return a function from a parameter set to present values, shape (200,).

    It creates the pricer at each call, since a pricer caches its results.
    """
    build, cls, settings = PRICERS[model_name][pricer]

    def prices(model: Model) -> np.ndarray:
        made = build(cls, model.as_mapping())
        for name, value in settings.items():
            setattr(made, name, value)
        return _by_maturity(made)

    return prices


def cached_pricer(model: Model) -> Callable[[Model], np.ndarray]:
    """Return PyFENG's Variance Gamma FFT for one parameter set; later calls use its cache."""
    made = _variance_gamma(pf.VarGammaFft, model.as_mapping())
    return lambda _: _by_maturity(made)


def _by_maturity(made: Any) -> np.ndarray:
    prices = [made.price(surface.STRIKES, surface.SPOT, years) for years in surface.MATURITIES]
    return np.concatenate(prices)
