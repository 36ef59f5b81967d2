"""The pages of theory list every model, with the parameters that it declares.

Their formulas are compared with the models by the programs of the pages, see test_readme.
"""

from pathlib import Path

import pytest

from levy_numerics import models
from levy_numerics.models import LevyModel

THEORY = Path(__file__).parents[2] / "docs" / "theory"
PAGES = (THEORY / "models.md").read_text() + (THEORY / "time-changes.md").read_text()


@pytest.mark.parametrize("name", models.names())
def test_the_parameters_of_a_model_are_listed_as_declared(name: str) -> None:
    model = models.get(name)
    assert f"`{name}`" in PAGES
    declared = list(model.parameters())
    if not issubclass(model, LevyModel):
        # The page describes those of the time change; the others are those of the base.
        base = {p.name for p in model.base_type.parameters()}
        declared = [p for p in declared if p.name.removesuffix("_2") not in base]
        assert declared
    for p in declared:
        row = (
            f"| `{p.name}` | {p.symbol} | {p.domain.condition(p.symbol)} | {p.unit} "
            f"| {p.meaning} | {p.default:g} |"
        )
        assert row in PAGES
