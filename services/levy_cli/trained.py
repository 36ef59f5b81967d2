"""The trained networks that the command line asks."""

import os
from collections.abc import Sequence
from typing import Final

from levy_calibration.registry import Registry
from levy_numerics.calibration.hybrid import Proposer

_LOCATION: Final = "LEVY_CALIBRATION_REGISTRY"


def networks(folder: str | None = None) -> Registry:
    """Open a registry: this folder, or that of the environment, or what comes with the engine.

    Raises
    ------
    InvalidInputError
        There is no such folder.
    """
    return Registry.open(folder or os.environ.get(_LOCATION))


def champion(model_type: str) -> Sequence[Proposer]:
    """Who is asked about a model: its champion, if it has one.

    Raises
    ------
    InvalidInputError
        It has one, whose files are not those that were trained.
    """
    found = networks().champion(model_type)
    return () if found is None else (found,)
