"""The trained networks that commands use."""

import os
from collections.abc import Sequence
from typing import Final

from levy_calibration.registry import Registry
from levy_numerics.calibration.hybrid import Proposer

_LOCATION: Final = "LEVY_CALIBRATION_REGISTRY"


def registry_at(folder: str | None = None) -> Registry:
    """Return the registry in a folder, in that of the environment, or installed with the engine.

    Raises
    ------
    InvalidInputError
        The folder does not exist.
    """
    return Registry.open(folder or os.environ.get(_LOCATION))


def champion(model_type: str) -> Sequence[Proposer]:
    """Return the champion of a model, if it has one.

    Raises
    ------
    InvalidInputError
        The files of the champion do not have their checksums.
    """
    network = registry_at().champion(model_type)
    return () if network is None else (network,)
