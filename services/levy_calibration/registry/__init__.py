"""Registry of trained networks: artifacts, the ones in use, and checks of their files."""

from levy_calibration.registry.registry import PACKAGED, Registry

__all__ = ["PACKAGED", "Registry"]
