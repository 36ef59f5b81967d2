"""Former names of fields, which are deprecated, and accepted or emitted for one release."""

from typing import Any

import pytest
from pydantic import ValidationError

from levy_schemas.calibration import FitQuality, FittedModel, Moment
from levy_schemas.jobs import Prior

MOMENTS = {"variance": Moment(value=0.04, interval=(0.03, 0.05))}
FITTED = FittedModel(
    parameters={"sigma": 0.2},
    status="at_bound",
    reason="",
    fit_quality=FitQuality(
        rmse=0.0, relative_error=0.0, implied_vol_rmse=None, aae=0.0, ape=0.0, n_quotes=2
    ),
    intervals=None,
    singular_values=(),
    moments=MOMENTS,
    boundary_parameters=("nu → 0",),
    n_evaluations=3,
)
LOGNORMAL: dict[str, Any] = {"distribution": "lognormal", "mu": 0.0, "sigma": 1.0}


def test_a_fit_is_sent_with_former_names_too() -> None:
    document = FITTED.model_dump(mode="json")
    assert document["functionals"] == document["moments"]
    assert document["limits"] == document["boundary_parameters"] == ["nu → 0"]


def test_a_fit_with_former_names_only_is_read() -> None:
    document = FITTED.model_dump(mode="json", exclude={"moments", "boundary_parameters"})
    assert FittedModel.model_validate(document) == FITTED


def test_the_schema_marks_former_names_as_deprecated() -> None:
    fields = FittedModel.model_json_schema(mode="serialization")["properties"]
    deprecated = {name for name, field in fields.items() if field.get("deprecated")}
    assert deprecated == {"functionals", "limits"}
    assert Prior.model_json_schema()["properties"]["beyond"]["deprecated"]


@pytest.mark.parametrize("name", ["loc", "beyond"])
def test_the_lower_end_of_a_prior_has_two_names(name: str) -> None:
    assert Prior.model_validate(LOGNORMAL | {name: 0.25}).spec() == LOGNORMAL | {"loc": 0.25}


def test_a_prior_with_both_names_is_rejected() -> None:
    with pytest.raises(ValidationError, match="beyond"):
        Prior.model_validate(LOGNORMAL | {"loc": 0.25, "beyond": 0.25})
