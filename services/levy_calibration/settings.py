"""What can be configured: `LEVY_CALIBRATION_…`."""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from levy_observability.settings import ServiceSettings


def _cores() -> int:
    return os.cpu_count() or 1


class CalibrationSettings(ServiceSettings):
    """Settings of the calibration service.

    Attributes
    ----------
    threads : int
        Surfaces fitted at once.
    deadline_seconds : float
        The longest that a request is worked on.
    n_starts : int, optional
        Starts of least squares, the best of which answers; as many as it takes to confirm the
        best if absent.
    registry : Path, optional
        The folder of trained networks; those that come with the engine if absent.
    challenger_share : float
        Of the surfaces, how many the challenger reads in place of the champion.
    """

    model_config = SettingsConfigDict(env_prefix="LEVY_CALIBRATION_")

    port: int = Field(default=8002, ge=0, le=65_535)
    threads: int = Field(default_factory=_cores, gt=0)
    deadline_seconds: float = Field(default=30.0, gt=0.0, allow_inf_nan=False)
    n_starts: int | None = Field(default=None, gt=0, le=64)
    registry: Path | None = None
    challenger_share: float = Field(default=0.0, ge=0.0, le=1.0)
