"""Both sides of the wire agree."""

import typing
from typing import Any

import pytest
from fastapi import FastAPI

from levy_gateway import clients, job_store
from levy_gateway.handlers import submit
from levy_numerics import errors, pricing
from levy_schemas.pricing import PricingMethod
from levy_schemas.problems import PROBLEMS, Problem
from levy_service.work import DeadlineError

PUBLIC = {
    ("post", "/quotes"),
    ("post", "/price"),
    ("post", "/calibrate"),
    ("post", "/compare"),
    ("post", "/calibrate/bayesian"),
    ("get", "/calibrate/bayesian/{job_id}"),
    ("delete", "/calibrate/bayesian/{job_id}"),
    ("get", "/calibrate/bayesian/{job_id}/inference-data"),
    ("get", "/models"),
    ("get", "/health"),
    ("get", "/metrics"),
}


def subclasses(kind: type) -> list[type]:
    return [kind, *(deeper for one in kind.__subclasses__() for deeper in subclasses(one))]


IN_NUMERICS = [e for e in subclasses(errors.LevyError) if e.__module__ == errors.__name__]


@pytest.mark.parametrize("error", IN_NUMERICS, ids=lambda error: error.__name__)
def test_every_code_of_numerics_has_a_title_and_a_status(error: Any) -> None:
    assert 400 <= PROBLEMS[error.code].status < 500


@pytest.mark.parametrize(
    "error", [clients.UpstreamError, clients.UpstreamUnavailableError, DeadlineError]
)
def test_every_code_of_operations_has_a_title_and_a_status(error: Any) -> None:
    assert PROBLEMS[error.code].status >= 500


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (job_store.UnknownJobError, 404),
        (job_store.IdempotencyConflictError, 409),
        (job_store.NoDrawsError, 409),
        (job_store.QueueFullError, 503),
        (submit.UnknownModelError, 404),
        (submit.PriorError, 422),
    ],
)
def test_every_code_of_jobs_has_its_status(error: Any, status: int) -> None:
    assert PROBLEMS[error.code].status == status


def test_the_methods_on_the_wire_are_those_of_numerics() -> None:
    assert set(typing.get_args(PricingMethod)) == {
        *pricing.methods(),
        *pricing.early_exercise_methods(),
    }


def test_the_gateway_has_every_operation_of_the_design(gateway: FastAPI) -> None:
    paths = gateway.openapi()["paths"]
    documented = {(method, path) for path, methods in paths.items() for method in methods}
    assert documented >= PUBLIC


@pytest.mark.parametrize("service", ["gateway", "pricing", "calibration"])
def test_every_error_documented_is_a_problem_of_its_status(
    service: str, request: pytest.FixtureRequest
) -> None:
    document = request.getfixturevalue(service).openapi()
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                for code in response.get("x-problem-codes", ()):
                    assert PROBLEMS[code].status == int(status), path
    assert set(document["components"]["schemas"]["Problem"]["properties"]) == set(
        Problem.model_fields
    )
    assert "HTTPValidationError" not in str(document)


@pytest.mark.parametrize("service", ["pricing", "calibration"])
def test_gateway_and_service_document_the_same(
    gateway: FastAPI, service: str, request: pytest.FixtureRequest
) -> None:
    public = gateway.openapi()["paths"]
    paths = request.getfixturevalue(service).openapi()["paths"]
    forwarded = [path for path in public.keys() & paths if "post" in paths[path]]
    assert forwarded
    for path in forwarded:
        here, there = public[path]["post"], paths[path]["post"]
        assert here["requestBody"] == there["requestBody"]
        assert here["responses"]["200"]["content"] == there["responses"]["200"]["content"]
    statuses_there = set(there["responses"])
    assert statuses_there <= set(here["responses"])


@pytest.mark.parametrize("service", ["gateway", "pricing", "calibration"])
def test_every_service_can_be_seen(service: str, request: pytest.FixtureRequest) -> None:
    paths = request.getfixturevalue(service).openapi()["paths"]
    assert {"/health/live", "/health/ready", "/metrics"} <= set(paths)
