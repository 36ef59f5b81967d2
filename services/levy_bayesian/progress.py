"""Progress of sampling."""

from collections.abc import Callable
from dataclasses import dataclass

from levy_schemas.jobs import Diagnostics


@dataclass(frozen=True)
class Progress:
    """Progress of a sampler.

    Attributes
    ----------
    share : float
        Fraction completed.
    diagnostics : Diagnostics, optional
        Diagnostics of the draws so far, None before there are any.
    """

    share: float
    diagnostics: Diagnostics | None = None


ProgressCallback = Callable[[Progress], None]
"""Called repeatedly; an exception that it raises ends the work."""
