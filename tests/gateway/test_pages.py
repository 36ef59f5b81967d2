"""The web page and its assets."""

import re

from fastapi.testclient import TestClient

from tests.gateway.conftest import FakeUpstream

LIMIT_BYTES = 150_000


def assets_of(client: TestClient) -> dict[str, str]:
    """Return the text of every asset that the page loads, by its path, modules by their imports."""
    page = client.get("/").text
    remaining = re.findall(r'(?:href|src)="(/assets/[^"]+)"', page)
    texts: dict[str, str] = {}
    while remaining:
        path = remaining.pop()
        if path in texts:
            continue
        answer = client.get(path)
        assert answer.status_code == 200, path
        texts[path] = answer.text
        folder = path.rpartition("/")[0]
        remaining += [f"{folder}/{name}" for name in re.findall(r'from "\./([^"]+)"', answer.text)]
    return texts


def test_the_first_view_is_small(client: TestClient) -> None:
    texts = assets_of(client)
    assert len(texts) > 10
    assert len(client.get("/").content) + sum(len(t.encode()) for t in texts.values()) < LIMIT_BYTES


def test_assets_may_be_kept_for_ever_and_the_page_may_not(client: TestClient) -> None:
    assert client.get("/").headers["cache-control"] == "no-cache"
    for path in assets_of(client):
        assert "immutable" in client.get(path).headers["cache-control"]
        assert "javascript" in client.get(path).headers["content-type"] or not path.endswith(".js")


def test_assets_of_another_version_are_not_found(client: TestClient) -> None:
    path = next(iter(assets_of(client)))
    name = path.rpartition("/")[2]
    for other in (f"/assets/0000000000000000/{name}", path + "x", "/assets/../settings.py"):
        answer = client.get(other)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_the_page_runs_no_script_but_its_own(client: TestClient) -> None:
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    page = client.get("/").text
    assert "<style" not in page
    assert " style=" not in page
    assert re.search(r"<script(?![^>]*src=)", page) is None


def test_files_of_quotes_are_forwarded_and_not_cached(
    client: TestClient, calibration: FakeUpstream
) -> None:
    answer = client.post("/quotes", json={"example": "synthetic-index"})
    assert answer.json() == {"n_read": 1}
    assert "cache-status" not in answer.headers
    assert [path for _, path, _, _ in calibration.requests] == ["/quotes"]
    refused = client.post("/quotes", json={"text": "x", "spot": "12"})
    assert refused.json()["errors"][0]["pointer"] == "/spot"
