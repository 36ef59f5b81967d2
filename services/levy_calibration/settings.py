"""What can be configured: `LEVY_CALIBRATION_…`."""

import os
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from levy_service.settings import ServiceSettings


def _cores() -> int:
    return os.cpu_count() or 1


class CalibrationSettings(ServiceSettings):
    """Settings of the calibration service.

    Attributes
    ----------
    threads : int
        Least squares, batches and comparisons worked on at once, beside one surface that a network
        starts.
    deadline_seconds : float
        The longest that a request is worked on.
    n_starts : int, optional
        Starts of least squares, the best of which answers; as many as it takes to confirm the
        best if absent.
    registry : Path, optional
        The folder of trained networks; those that come with the engine if absent.
    challenger_share : float
        Of the surfaces, how many the challenger reads in place of the champion.
    drift_window : int
        Surfaces of each model, the last ones of each worker, that are compared with training.
    drift_fewest : int
        Of these, how many there must be before anything is said; no more than the window holds.
    """

    model_config = SettingsConfigDict(env_prefix="LEVY_CALIBRATION_")

    port: int = Field(default=8002, ge=0, le=65_535)
    threads: int = Field(default_factory=_cores, gt=0)
    deadline_seconds: float = Field(default=30.0, gt=0.0, allow_inf_nan=False)
    n_starts: int | None = Field(default=None, gt=0, le=64)
    registry: Path | None = None
    challenger_share: float = Field(default=0.0, ge=0.0, le=1.0)
    drift_window: int = Field(default=1_000, ge=10, le=100_000)
    drift_fewest: int = Field(default=200, ge=10)

    @model_validator(mode="after")
    def _drift_can_be_told(self) -> Self:
        if self.drift_fewest > self.drift_window:
            raise ValueError(
                f"drift_fewest = {self.drift_fewest} must be ≤ drift_window = {self.drift_window}"
            )
        return self
