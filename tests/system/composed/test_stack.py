"""The Compose stack through its public port."""

import json
import socket
from urllib.parse import urlsplit

import pytest

from tests.system.composed.conftest import SERVICES, SURFACE, TO_PRICE, TO_SAMPLE, Stack

pytestmark = pytest.mark.system


def test_a_surface_is_calibrated_through_the_public_port(stack: Stack) -> None:
    answer = stack.client.post("/calibrate", json=SURFACE)
    assert answer.status_code == 200
    parameters = answer.json()["parameters"]
    assert parameters["sigma"] == pytest.approx(0.2, abs=1e-3)
    assert parameters["nu"] == pytest.approx(0.3, abs=1e-2)
    assert parameters["theta"] == pytest.approx(-0.15, abs=1e-2)


def test_prices_come_through_the_public_port(stack: Stack) -> None:
    answer = stack.client.post("/price", json=TO_PRICE)
    assert answer.status_code == 200
    assert answer.json()["prices"][0] == sorted(answer.json()["prices"][0], reverse=True)


def test_a_posterior_is_sampled_and_its_draws_downloaded(stack: Stack) -> None:
    job = stack.client.post("/calibrate/bayesian", json=TO_SAMPLE)
    assert job.status_code == 202, job.text
    where = job.headers["Location"]
    stack.wait(lambda: stack.ended(job.json()["job_id"]) is not None, 180)
    found = stack.client.get(where).json()
    assert found["status"] == "succeeded", found
    assert found["result"]["parameters"]["sigma"]["mean"] == pytest.approx(0.2, abs=0.01)
    draws = stack.client.get(f"{where}/inference-data")
    assert draws.content[:4] == b"\x89HDF"


def test_redis_keeps_results_for_the_gateway(stack: Stack) -> None:
    fresh = SURFACE | {"spot_price": 100.001}
    first = stack.client.post("/calibrate", json=fresh)
    again = stack.client.post("/calibrate", json=fresh)
    assert "stored" in first.headers["Cache-Status"]
    assert again.headers["Cache-Status"] == "levy; hit"


def test_prometheus_sees_every_target(stack: Stack) -> None:
    jobs = {"redis", "prometheus", *stack.services}

    def all_up() -> bool:
        return {s["metric"]["job"] for s in stack.query("up == 1")} >= jobs

    stack.wait(all_up, 60)
    assert stack.query("redis_up")[0]["value"][1] == "1"


def test_the_alerts_are_loaded_and_silent_but_for_what_does_not_run(stack: Stack) -> None:
    assert len(stack.query("ALERTS{alertstate='firing', severity='page'}")) == 0


@pytest.mark.parametrize("service", ["pricing", "calibration", "bayesian", "redis", "redis-cache"])
def test_what_is_not_public_has_no_port_on_the_host(stack: Stack, service: str) -> None:
    listed = stack.compose("ps", service)
    assert "->" not in listed


def test_the_public_port_listens_only_on_the_configured_address(stack: Stack) -> None:
    port = urlsplit(stack.url).port
    assert stack.compose("port", "gateway", "8000").strip() == f"127.0.0.1:{port}"
    with socket.create_connection(("127.0.0.1", port or 0), timeout=5):
        pass


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_has_no_root_privileges_and_can_write_only_to_tmp(
    stack: Stack, service: str
) -> None:
    if service not in stack.services:
        pytest.skip(f"{service} was not built")
    script = """
import json, os, pathlib, shutil
def writable(place):
    try:
        (pathlib.Path(place) / "probe").write_text("x")
    except OSError:
        return False
    return True
status = pathlib.Path("/proc/1/status").read_text()
print(json.dumps({
    "uid": os.getuid(),
    "writable": [p for p in ("/", "/opt/levy", "/etc", "/tmp") if writable(p)],
    "compilers": [c for c in ("gcc", "cc", "g++", "clang") if shutil.which(c)],
    "capabilities": status.split("CapEff:")[1].split()[0],
    "new_privileges": status.split("NoNewPrivs:")[1].split()[0],
    "first": pathlib.Path("/proc/1/cmdline").read_text().split(chr(0))[1:3],
}))
"""
    found = json.loads(stack.inside(service, "python", "-c", script).stdout)
    assert found["uid"] == 10001
    assert found["writable"] == ["/tmp"]
    assert found["compilers"] == []
    assert int(found["capabilities"], 16) == 0
    assert found["new_privileges"] == "1"
    assert found["first"] == ["-m", f"levy_{service}"]


def test_redis_requires_its_password_and_does_not_reveal_it(stack: Stack) -> None:
    stranger = stack.inside("redis", "env", "-u", "REDISCLI_AUTH", "redis-cli", "ping")
    assert "NOAUTH" in stranger.stdout + stranger.stderr
    assert stack.inside("redis", "redis-cli", "ping").stdout.strip() == "PONG"
    first = stack.inside("redis", "cat", "/proc/1/cmdline").stdout
    password = stack.inside("redis", "printenv", "REDISCLI_AUTH").stdout.strip()
    assert first.startswith("redis-server")
    assert password not in first


def test_the_networks_hide_redis_from_those_who_do_not_need_it(stack: Stack) -> None:
    reach = "import socket; socket.create_connection(('redis', 6379), 2)"
    assert stack.inside("gateway", "python", "-c", reach).returncode == 0
    assert stack.inside("pricing", "python", "-c", reach).returncode != 0


def test_the_number_of_workers_follows_scale(stack: Stack) -> None:
    def watched(number: int) -> bool:
        return len(stack.query("up{job='bayesian'} == 1")) == number

    def heard(number: int) -> bool:
        return bool(stack.client.get("/health").json()["services"]["bayesian"]["workers"] == number)

    for number in (2, 1):
        stack.compose("up", "-d", "--no-deps", "--scale", f"bayesian={number}", "bayesian")
        stack.wait(lambda number=number: watched(number) and heard(number), 120)
