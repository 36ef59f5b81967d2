"""How work tells how far it is, and how it is doing."""

from collections.abc import Callable
from dataclasses import dataclass

from levy_schemas.jobs import Diagnostics


@dataclass(frozen=True)
class Standing:
    """How far a sampler is.

    Attributes
    ----------
    share : float
        Done, of one.
    diagnostics : Diagnostics, optional
        What its draws say of themselves so far; none before there are any.
    """

    share: float
    diagnostics: Diagnostics | None = None


Progress = Callable[[Standing], None]
"""Told again and again; may raise, and the work then ends."""
