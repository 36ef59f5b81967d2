"""Progress of sampling."""

from collections.abc import Callable
from dataclasses import dataclass

from levy_schemas.jobs import Diagnostics, Stage


@dataclass(frozen=True)
class Progress:
    """Progress of a sampler.

    Attributes
    ----------
    share : float
        Fraction completed.
    diagnostics : Diagnostics, optional
        Diagnostics of the draws so far, None before there are any.
    stage : str
        What the sampler does now.
    stage_share : float, optional
        Fraction of the stage completed, None where it is unknown.
    """

    share: float
    diagnostics: Diagnostics | None = None
    stage: Stage = "sampling"
    stage_share: float | None = None


ProgressCallback = Callable[[Progress], None]
"""Called repeatedly; an exception that it raises ends the work."""


class RemainingTime:
    """Extrapolates the rate of progress since the first report above zero.

    Compilation comes before that report and does not count.
    """

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None

    def seconds(self, share: float, now: float) -> float | None:
        """Return the estimate, in seconds; None until two reports differ.

        Parameters
        ----------
        share : float
            Fraction completed.
        now : float
            Time of the report in seconds, of any clock.
        """
        if share <= 0.0:
            return None
        if self._first is None:
            self._first = (now, share)
        started, first_share = self._first
        if share <= first_share or now <= started:
            return None
        return (1.0 - share) * (now - started) / (share - first_share)
