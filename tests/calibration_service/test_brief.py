"""Selection of the surfaces that are fitted on the event loop."""

from typing import Any

import pytest

from levy_calibration.routes.calibrate import _is_brief
from levy_schemas.calibration import CalibrationRequest


@pytest.mark.parametrize(
    ("asked", "brief"),
    [
        ({}, True),
        ({"method": "neural"}, True),
        ({"method": "least_squares"}, False),
        ({"per_maturity": True}, False),
        ({"uncertainty": "psis"}, False),
    ],
)
def test_what_takes_long_does_not_begin_there(
    grid_request: dict[str, Any], asked: dict[str, Any], brief: bool
) -> None:
    assert _is_brief(CalibrationRequest(**(grid_request | asked))) is brief
