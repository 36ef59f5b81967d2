"""Lévy models: option prices, Greeks, implied volatilities, calibration and posteriors.

Names are imported when they are first used, so that `import levy_numerics` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from levy_numerics import models
    from levy_numerics.api import calibrate, greeks, implied_vol, price, sample_posterior
    from levy_numerics.calibration.result import CalibrationResult
    from levy_numerics.market import Contracts, Quotes
    from levy_numerics.surface import Surface

    __version__: str

__all__ = [
    "CalibrationResult",
    "Contracts",
    "Quotes",
    "Surface",
    "__version__",
    "calibrate",
    "greeks",
    "implied_vol",
    "models",
    "price",
    "sample_posterior",
]

_MODULES: Final = {
    "CalibrationResult": "calibration.result",
    "Contracts": "market",
    "Quotes": "market",
    "Surface": "surface",
    **dict.fromkeys(("calibrate", "greeks", "implied_vol", "price", "sample_posterior"), "api"),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name in _MODULES:
        value = getattr(import_module(f"levy_numerics.{_MODULES[name]}"), name)
    elif name == "models":
        value = import_module("levy_numerics.models")
    elif name == "__version__":
        from importlib.metadata import version

        value = version("levy-calibration-engine")
    else:
        raise AttributeError(f"module 'levy_numerics' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
