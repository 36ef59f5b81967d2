"""The page of the Python API, from the docstrings of the public names."""

import re
from typing import Final

import levy_client
import levy_numerics
from levy_numerics import models

_INTRODUCTION: Final = """\
# Python reference

The public names, from their docstrings. [Python API](../python.md) introduces them with examples.
"""
_PUBLIC: Final = (
    ("levy_numerics", "Prices, fits and posteriors"),
    ("levy_numerics.models", "Models"),
    ("levy_client", "Client of the service"),
)
"""Packages, with the titles of their sections."""


def page() -> str:
    """Return the page as Markdown, with directives of mkdocstrings."""
    exported = {
        "levy_numerics": [
            name for name in levy_numerics.__all__ if not re.fullmatch(r"__\w+__|models", name)
        ],
        "levy_numerics.models": ["get", "names", "LevyModel", "Model", *models.names()],
        "levy_client": list(levy_client.__all__),
    }
    parts = [_INTRODUCTION]
    for package, title in _PUBLIC:
        parts.append(f"## {title}")
        parts += [f"::: {package}.{name}" for name in exported[package]]
    return "\n\n".join(parts) + "\n"
