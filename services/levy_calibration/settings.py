"""Settings of the calibration service: environment variables `LEVY_CALIBRATION_…`."""

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
        Number of threads for fits by least squares, batches and comparisons, besides one for
        brief fits.
    deadline_seconds : float
        Longest deadline of a request.
    n_starts : int, optional
        Initial guesses of least squares; if absent, until the best result is found again.
    registry : Path, optional
        Folder of trained networks; those installed with the engine if absent.
    challenger_share : float
        Fraction of the surfaces for which the challenger is used instead of the champion.
    drift_window : int
        Number of each model's latest surfaces, per worker, that are compared with training.
    drift_fewest : int
        Minimum number of surfaces in the window before drift is reported.
    audit_log : Path, optional
        Folder of the log of calibrations; none is written if absent.
    audit_requests : bool
        Whether that log contains requests, so that answers can be replayed, or only their hashes.
    audit_file_bytes : int
        Size at which another file of the log begins.
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
    audit_log: Path | None = None
    audit_requests: bool = True
    audit_file_bytes: int = Field(default=100_000_000, ge=1)

    @model_validator(mode="after")
    def _has_consistent_window(self) -> Self:
        if self.drift_fewest > self.drift_window:
            raise ValueError(
                f"drift_fewest = {self.drift_fewest} must be ≤ drift_window = {self.drift_window}"
            )
        return self
