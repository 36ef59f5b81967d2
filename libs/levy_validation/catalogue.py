"""The catalogue of analyses: each is one module of `levy_validation.analyses`."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Final

from levy_numerics.errors import InvalidInputError
from levy_validation.section import Section
from levy_validation.setting import Progress, Setting

Run = Callable[[Setting, Progress], Section]

_REGISTERED: Final[dict[str, "Analysis"]] = {}
_MODULES: Final = (
    "out_of_sample",
    "explainability",
    "robustness",
    "sensitivity",
    "coverage",
    "forward_walking",
    "significance",
    "model_comparison",
)
"""In the order of the report."""


@dataclass(frozen=True)
class Analysis:
    """An analysis of the catalogue.

    Attributes
    ----------
    name : str
        For `--suite`.
    title : str
    question : str
        The question that it answers.
    principle : str
        Name of the principle that it serves: see `principles.PRINCIPLES`.
    run : callable
        (Setting, Progress) ↦ Section.
    """

    name: str
    title: str
    question: str
    principle: str
    run: Run


def analysis(name: str, *, title: str, question: str, principle: str) -> Callable[[Run], Run]:
    """Register a function as an analysis (decorator)."""

    def register(run: Run) -> Run:
        _REGISTERED[name] = Analysis(name, title, question, principle, run)
        return run

    return register


def all_analyses() -> tuple[Analysis, ...]:
    """Return the analyses in the order of the report."""
    for name in _MODULES:
        import_module(f"levy_validation.analyses.{name}")
    return tuple(_REGISTERED[name] for name in _MODULES)


def get(name: str) -> Analysis:
    """Return the analysis of that name.

    Raises
    ------
    InvalidInputError
        It does not exist.
    """
    known = {a.name: a for a in all_analyses()}
    if name not in known:
        similar = get_close_matches(name, known, n=1)
        hint = f" (did you mean {similar[0]}?)" if similar else ""
        raise InvalidInputError(f"unknown analysis {name!r}{hint}; available: {', '.join(known)}")
    return known[name]
