"""Selection of the surfaces that are fitted on the event loop."""

from typing import Any

import pytest

from levy_calibration.routes.calibrate import _is_brief
from levy_schemas.calibration import CalibrationRequest


@pytest.mark.parametrize(
    ("options", "brief"),
    [
        ({}, True),
        ({"method": "neural"}, True),
        ({"method": "least_squares"}, False),
        ({"per_maturity": True}, False),
        ({"uncertainty": "psis"}, False),
    ],
)
def test_only_short_fits_run_on_the_event_loop(
    grid_request: dict[str, Any], options: dict[str, Any], brief: bool
) -> None:
    assert _is_brief(CalibrationRequest(**(grid_request | options))) is brief
