"""The OpenAPI document of the gateway describes everything, and its examples work."""

from typing import Any

from fastapi import FastAPI

from docs.site.http_api import request_example
from levy_schemas.descriptions import DESCRIPTIONS


def test_every_operation_parameter_and_field_is_described(gateway: FastAPI) -> None:
    document = gateway.openapi()
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["description"]
            for parameter in operation.get("parameters", ()):
                assert parameter["description"], parameter
    schemas = document["components"]["schemas"]
    fields = {
        f"{name}.{field}": content
        for name, schema in schemas.items()
        for field, content in schema.get("properties", {}).items()
    }
    assert len(fields) > 200
    assert [field for field, content in fields.items() if not content.get("description")] == []
    assert [name for name, schema in schemas.items() if not schema.get("description")] == []


def test_every_common_description_is_used(gateway: FastAPI) -> None:
    schemas = gateway.openapi()["components"]["schemas"]
    used = {
        content["description"]
        for schema in schemas.values()
        for content in schema.get("properties", {}).values()
    }
    assert set(DESCRIPTIONS.values()) <= used


def test_the_example_of_every_operation_with_a_body_is_accepted(
    gateway: FastAPI, client: Any
) -> None:
    document = gateway.openapi()
    posted = {}
    for path, methods in document["paths"].items():
        if "post" in methods:
            example = request_example(methods["post"], document["components"]["schemas"])
            posted[path] = client.post(path, json=example)
    assert {path: answer.status_code for path, answer in posted.items()} == {
        "/quotes": 200,
        "/price": 200,
        "/calibrate": 200,
        "/compare": 200,
        "/calibrate/bayesian": 202,
    }
    assert posted["/calibrate"].json()["status"] == "converged"
    job = posted["/calibrate/bayesian"].json()["status_url"]
    assert client.get(job).json()["status"] == "queued"
    assert client.delete(job).json()["status"] == "cancelled"
