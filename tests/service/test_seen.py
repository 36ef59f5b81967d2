"""Request ids, metrics, health checks and logs."""

import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog
from fastapi.testclient import TestClient

from levy_service import logs
from levy_service.metrics import ServiceMetrics
from levy_service.settings import ServiceSettings


@pytest.fixture
def _logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    former = (root.handlers, root.level)
    yield
    root.handlers, root.level = former
    structlog.reset_defaults()


def test_a_well_formed_id_comes_back(client: TestClient) -> None:
    answer = client.get("/health/live", headers={"X-Request-ID": "desk-7:42"})
    assert answer.headers["X-Request-ID"] == "desk-7:42"


@pytest.mark.parametrize("offered", ["", "a b", "x" * 129, "<script>"])
def test_an_ill_formed_id_is_replaced(client: TestClient, offered: str) -> None:
    answer = client.get("/health/live", headers={"X-Request-ID": offered})
    assert answer.headers["X-Request-ID"] != offered
    assert len(answer.headers["X-Request-ID"]) == 32


def test_a_running_service_is_live(client: TestClient) -> None:
    answer = client.get("/health/live").json()
    assert answer["status"] == "alive"
    assert answer["service"] == "levy_test"


def test_readiness_hangs_on_its_checks(client: TestClient, ready: dict[str, bool]) -> None:
    assert client.get("/health/ready").status_code == 200
    ready["model"] = False
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not_ready",
        "service": "levy_test",
        "checks": {"model": False},
    }


def test_requests_are_counted_by_route_and_never_by_address(client: TestClient) -> None:
    for address in ("/nowhere/1", "/nowhere/2", "/points"):
        client.post(address, json={"x": 1})
    text = client.get("/metrics").text
    ours = [
        line for line in text.splitlines() if line.startswith("levy_test_request_seconds_count")
    ]
    assert ours == [
        'levy_test_request_seconds_count{method="POST",route="unmatched",status="404"} 2.0',
        'levy_test_request_seconds_count{method="POST",route="/points",status="200"} 1.0',
    ]


def test_two_services_in_one_process_do_not_share_metrics() -> None:
    one, other = ServiceMetrics("levy_test"), ServiceMetrics("levy_test")
    one.request_seconds.labels("GET", "/", "200").observe(1.0)
    assert b"request_seconds_count" not in other.exposition()


@pytest.mark.usefixtures("_logging_restored")
def test_logs_are_json_lines_with_service_and_request_id() -> None:
    stream = io.StringIO()
    logs.configure("levy_test", stream=stream)
    with structlog.contextvars.bound_contextvars(request_id="desk-7"):
        structlog.get_logger().info("calibration.finished", rmse_vol=0.003)
        logging.getLogger("some.library").warning("queue at %d", 7)
    ours, theirs = (json.loads(line) for line in stream.getvalue().splitlines())
    assert ours["event"] == "calibration.finished"
    assert ours["rmse_vol"] == 0.003
    assert theirs["event"] == "queue at 7"
    for line in (ours, theirs):
        assert line["service"] == "levy_test"
        assert line["request_id"] == "desk-7"


@pytest.mark.usefixtures("_logging_restored")
def test_logs_below_the_level_are_not_shown() -> None:
    stream = io.StringIO()
    logs.configure("levy_test", level="warning", stream=stream)
    structlog.get_logger().info("quiet")
    assert stream.getvalue() == ""


class _Settings(ServiceSettings):
    model_config = ServiceSettings.model_config | {"env_prefix": "LEVY_TEST_"}


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEVY_TEST_PORT", "8123")
    assert _Settings.from_environment().port == 8123


def test_an_unknown_setting_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEVY_TEST_PROT", "8123")
    with pytest.raises(ValueError, match="LEVY_TEST_PROT is not a setting"):
        _Settings.from_environment()


def test_help_lists_the_settings_with_their_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        _Settings.from_command_line("levy_test", ["--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert "python -m levy_test" in shown
    assert "LEVY_TEST_PORT (8000)" in shown


@pytest.mark.parametrize(
    ("variable", "value", "arguments", "message"),
    [
        ("LEVY_TEST_PORT", "99999", [], "LEVY_TEST_PORT: Input should be less than or equal to"),
        ("LEVY_TEST_PROT", "1", [], "LEVY_TEST_PROT is not a setting; available: "),
        ("LEVY_TEST_PORT", "8000", ["--port", "1"], "unrecognized arguments: --port 1"),
    ],
)
def test_misuse_of_a_service_is_one_line(
    variable: str,
    value: str,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as end:
        _Settings.from_command_line("levy_test", arguments)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"python -m levy_test: {message}")
    assert error.count("\n") == 1


@pytest.mark.parametrize("service", ["gateway", "pricing", "calibration", "bayesian"])
def test_every_service_has_a_help(service: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"levy_{service}", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"LEVY_{service.upper()}_PORT" in done.stdout
    assert done.stderr == ""


def test_the_docs_page_needs_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs").text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(loaded) >= 3
    for address in loaded:
        assert address.startswith("/docs/assets/")
        assert client.get(address).status_code == 200
    assert "://" not in page
    assert len(client.get("/docs/assets/swagger-ui-bundle.js").content) > 500_000
