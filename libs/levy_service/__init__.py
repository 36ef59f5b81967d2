"""Shared service code: app factory, body limits, deadlines, problems, logs, metrics, health."""

from functools import cache
from importlib.metadata import version


@cache
def engine_version() -> str:
    """Return the version of the installed distribution."""
    return version("levy-calibration-engine")
