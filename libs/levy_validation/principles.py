"""The supervisory principles that the report's sections serve."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Principle:
    """A topic that guidance on model risk expects a validation to cover.

    Attributes
    ----------
    name : str
    united_kingdom : str
        The principle of SS1/23.
    united_states : str
        The activity of the guidance on model risk management.
    """

    name: str
    united_kingdom: str
    united_states: str


_VALIDATION: Final = "Principle 4, independent model validation"
_DEVELOPMENT: Final = "Principle 3, model development, implementation and use"
_MITIGANTS: Final = "Principle 5, model risk mitigants"

PRINCIPLES: Final = {
    p.name: p
    for p in (
        Principle("outcomes analysis", _VALIDATION, "validation: outcomes analysis"),
        Principle("conceptual soundness", _DEVELOPMENT, "validation: conceptual soundness"),
        Principle("limitations", _MITIGANTS, "model development: testing, limits of use"),
        Principle("ongoing monitoring", _VALIDATION, "ongoing monitoring"),
        Principle("benchmarking", _VALIDATION, "effective challenge: benchmarking"),
    )
}

SOURCES: Final = (
    "United Kingdom: the five themes of SS1/23 as listed on the Bank of England's page of the "
    "supervisory statement (17 May 2023), which was read; the full statement was not.",
    "United States: SR 26-2 of 17 April 2026 is reported (Baker Tilly and other secondary "
    "sources, which were read) to replace SR 11-7 and to retain its elements: development, "
    "implementation and use; validation and ongoing monitoring; governance. The text of SR 26-2 "
    "could not be read, so that the sections are mapped to these elements, not to its paragraphs.",
)
