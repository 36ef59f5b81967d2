"""Recipes are read strictly."""

from pathlib import Path

import pytest

from levy_calibration.training.recipe import Recipe
from levy_numerics.errors import InvalidInputError


@pytest.mark.parametrize(
    "text", ["network: set\nepochs: 3\nepochs: 4\n", "network: set\noptions: {l2: 1, l2: 2}\n"]
)
def test_a_key_that_occurs_twice_is_rejected_and_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=r"the key (epochs|l2) occurs twice"):
        Recipe.read(path)
