"""Exponential-Lévy models: pricing, calibration and inference on arrays."""

from importlib import metadata


def __getattr__(name: str) -> str:
    """Read `__version__` from the distribution's metadata, which takes milliseconds, on demand."""
    if name == "__version__":
        return metadata.version("levy-calibration-engine")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
