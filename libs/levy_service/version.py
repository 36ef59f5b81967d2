"""Which version of the engine is running."""

from functools import cache
from importlib.metadata import version


@cache
def engine_version() -> str:
    """Version of the installed distribution."""
    return version("levy-calibration-engine")
