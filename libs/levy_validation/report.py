"""Run analyses and collect their sections."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from levy_numerics.errors import LevyError
from levy_validation.catalogue import Analysis
from levy_validation.principles import PRINCIPLES, SOURCES
from levy_validation.section import Section
from levy_validation.setting import Setting

Advance = Callable[[int, int, str], None]
"""Receives the number of analyses done, the total and a note."""


@dataclass(frozen=True)
class Completed:
    """An analysis that was run.

    Attributes
    ----------
    analysis : Analysis
    section : Section or None
        None where the analysis could not be made.
    reason : str
        Why not; empty otherwise.
    seconds : float
    """

    analysis: Analysis
    section: Section | None
    reason: str
    seconds: float

    def as_document(self) -> dict[str, Any]:
        """Return the analysis and its section as a JSON object."""
        a = self.analysis
        head = {"name": a.name, "title": a.title, "question": a.question, "principle": a.principle}
        body = {} if self.section is None else self.section.as_document()
        return {**head, "reason": self.reason or None, "seconds": self.seconds, **body}


@dataclass(frozen=True)
class Report:
    """The sections of several analyses of one setting."""

    setting: Setting
    completed: tuple[Completed, ...]

    @property
    def seconds(self) -> float:
        """Duration of all analyses."""
        return sum(c.seconds for c in self.completed)

    def section(self, name: str) -> Section:
        """Return the section of an analysis that was made, by name."""
        (section,) = (
            c.section for c in self.completed if c.analysis.name == name and c.section is not None
        )
        return section

    def as_document(self) -> dict[str, Any]:
        """Return every figure as one JSON object."""
        setting = self.setting
        network = setting.network
        return {
            "model_type": setting.model.name,
            "network": None if network is None else f"{network.network} {network.version}",
            "seed": setting.seed,
            "effort": vars(setting.effort),
            "surfaces": [{"name": s.name, "n_quotes": s.quotes.size} for s in setting.surfaces],
            "seconds": self.seconds,
            "principles": {name: vars(p) for name, p in PRINCIPLES.items()},
            "sources": list(SOURCES),
            "analyses": [c.as_document() for c in self.completed],
        }


def validate(
    setting: Setting, analyses: Sequence[Analysis], progress: Advance | None = None
) -> Report:
    """Run analyses on a setting.

    An analysis that the setting does not permit, such as a model that cannot be fitted to the
    quotes, is reported with its reason; the others still run.

    Parameters
    ----------
    setting : Setting
    analyses : sequence of Analysis
        `catalogue.all_analyses()` or some of them.
    progress : callable, optional
        Receives the number of analyses done, the total and a note.
    """
    completed: list[Completed] = []
    for analysis in analyses:
        show = _within(progress, analysis.name, len(completed), len(analyses))
        started = time.perf_counter()
        section, reason = None, ""
        try:
            section = analysis.run(setting, show)
        except LevyError as error:
            reason = error.message
        completed.append(Completed(analysis, section, reason, time.perf_counter() - started))
    if progress is not None:
        progress(len(completed), len(analyses), "")
    return Report(setting, tuple(completed))


def _within(
    progress: Advance | None, name: str, done: int, total: int
) -> Callable[[int, int], None]:
    """Return a function that shows the steps of one analysis as a note."""

    def show(step: int, steps: int) -> None:
        if progress is not None:
            progress(done, total, f"{name} {step}/{steps}")

    show(0, 1)
    return show
