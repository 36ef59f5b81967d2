"""Validation of calibrations: analyses that a model-validation group runs, and their catalogue.

`validate` runs analyses on a `Setting` and returns a `Report` of numbers, tables and plots.
`docs/validation.md` describes them.
"""

from levy_validation.catalogue import Analysis, all_analyses, get
from levy_validation.report import Report, validate
from levy_validation.section import Heatmap, Plot, Section, Table
from levy_validation.setting import DatedQuotes, Effort, Setting

__all__ = [
    "Analysis",
    "DatedQuotes",
    "Effort",
    "Heatmap",
    "Plot",
    "Report",
    "Section",
    "Setting",
    "Table",
    "all_analyses",
    "get",
    "validate",
]
