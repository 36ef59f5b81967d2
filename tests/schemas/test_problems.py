"""Problems and their JSON pointers."""

import subprocess
import sys

from levy_schemas.problems import CODE_OF_STATUS, MEANING, PROBLEMS, places_of


def test_every_kind_of_problem_is_explained() -> None:
    assert set(MEANING) == set(PROBLEMS)


def test_every_status_leads_to_a_code_of_that_status() -> None:
    assert all(PROBLEMS[code].status == status for status, code in CODE_OF_STATUS.items())


def test_a_parameter_at_fault_is_pointed_at() -> None:
    (place,) = places_of("invalid-parameter", "too large", {"parameter": "nu"})
    assert place.pointer == "/parameters/nu"


def test_parameters_at_fault_together_are_pointed_at_together() -> None:
    (place,) = places_of("invalid-parameter", "no forward", {"parameter": "sigma, nu"})
    assert place.pointer == "/parameters"


def test_schemas_need_pydantic_alone() -> None:
    code = (
        "import levy_schemas.calibration, levy_schemas.catalogue, levy_schemas.health, "
        "levy_schemas.headers, levy_schemas.pricing, levy_schemas.problems, sys; "
        "print([m for m in ('numpy', 'fastapi', 'starlette', 'structlog') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
