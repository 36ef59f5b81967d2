"""Headers of responses: methods, security and caching."""

import warnings
from collections.abc import Iterator

import pytest

from levy_gateway.app import create_app
from levy_gateway.keys import digest_of
from levy_gateway.settings import GatewaySettings

with warnings.catch_warnings():
    # The test client warns that it prefers httpx's successor; the gateway uses httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

JOB = "/calibrate/bayesian/0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(GatewaySettings(api_keys={"desk": digest_of("k")}))) as made:
        made.headers["X-API-Key"] = "k"
        yield made


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/price", {"POST", "OPTIONS"}),
        ("/models", {"GET", "HEAD", "OPTIONS"}),
        ("/", {"GET", "HEAD", "OPTIONS"}),
        ("/docs", {"GET", "HEAD", "OPTIONS"}),
        ("/openapi.json", {"GET", "HEAD", "OPTIONS"}),
        (JOB, {"GET", "HEAD", "DELETE", "OPTIONS"}),
    ],
)
def test_allow_lists_every_method(client: TestClient, path: str, methods: set[str]) -> None:
    refused = client.patch(path)
    assert refused.status_code == 405
    assert refused.json()["code"] == "method-not-allowed"
    assert set(refused.headers["allow"].split(", ")) == methods
    described = client.options(path)
    assert (described.status_code, described.headers["allow"]) == (204, refused.headers["allow"])


def test_unknown_paths_have_no_methods(client: TestClient) -> None:
    assert client.options("/nothing").status_code == 404


@pytest.mark.parametrize("path", ["/", "/health/live", "/docs"])
def test_head_has_the_headers_of_get(client: TestClient, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert head.status_code == get.status_code == 200
    assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize("path", ["/", "/docs", "/health/live", "/nothing", "/price"])
def test_browsers_are_restricted(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert policy.startswith("default-src 'self'" if path == "/docs" else "default-src 'none'")
    assert ("unsafe-inline" in policy) == (path == "/docs")


def test_what_required_a_key_is_not_stored(client: TestClient) -> None:
    assert client.get(JOB).headers["cache-control"] == "no-store"
    assert client.get(JOB, headers={"X-API-Key": "x"}).headers["cache-control"] == "no-store"
    assert "cache-control" not in client.get("/health/live").headers
