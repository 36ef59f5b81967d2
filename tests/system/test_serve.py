"""`levy serve` responds, stops cleanly and reports failures."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.job_engine import until

pytestmark = pytest.mark.system

CALIBRATIONS = [
    "calibration",
    *(f"calibration-{k}" for k in range(2, min(os.cpu_count() or 1, 4) + 1)),
]
PARTS = {"redis", "redis-cache", "pricing", *CALIBRATIONS, "bayesian", "gateway"}
TRUTH = {"sigma": 0.2, "nu": 0.4, "theta": -0.15}
GRID: dict[str, Any] = {
    "spot_price": 100.0,
    "risk_free_rate": 0.05,
    "dividend_yield": 0.0,
    "strikes": [80, 90, 95, 100, 105, 110, 120],
    "maturities": [0.25, 0.5, 1.0],
}
PRICES = [
    [21.12, 11.94, 7.96, 4.44, 1.98, 0.88, 0.20],
    [22.39, 13.97, 10.19, 6.94, 4.36, 2.55, 0.80],
    [25.10, 17.24, 13.80, 10.75, 8.15, 6.00, 3.10],
]


def _import_seconds() -> float:
    """Return how long one child takes to import its program: the floor of starting all of them."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import levy_calibration.app"], check=True)
    return time.monotonic() - began


def test_it_is_ready_within_five_seconds_and_prints_its_address(running: Any) -> None:
    # Nine processes start on a few cores: a slower machine gets time in proportion to one import.
    assert running.ready_seconds < max(5.0, 5.0 * _import_seconds())
    assert set(running.children) == PARTS
    for place in (running.url, f"{running.url}/docs", f"{running.url}/health", "redis.sock"):
        assert place in running.said


def test_everything_is_healthy(client: httpx.Client) -> None:
    answer = client.get("/health").json()
    assert answer["status"] == "healthy"
    assert answer["model_loaded"] is True


def test_prices_calibrate_to_the_parameters_they_were_made_with(client: httpx.Client) -> None:
    priced = client.post("/price", json=GRID | {"model_type": "VarianceGamma", "parameters": TRUTH})
    assert priced.status_code == 200
    surface = GRID | {"model_type": "VarianceGamma", "prices": priced.json()["prices"]}
    fitted = client.post("/calibrate", json=surface)
    assert fitted.status_code == 200
    answer = fitted.json()
    for name, value in TRUTH.items():
        assert answer["parameters"][name] == pytest.approx(value, rel=1e-4)
    assert answer["fit_quality"]["n_quotes"] == 21
    assert answer["method"] == "hybrid"
    assert answer["degraded"] is False


def test_the_command_that_is_announced_works(running: Any) -> None:
    command = running.said.split("Try\n")[1].split("Ctrl-C")[0]
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["parameters"]["sigma"] == pytest.approx(0.2, rel=0.05)


def test_models_are_listed(client: httpx.Client) -> None:
    assert {"VarianceGamma", "CGMY", "NIG"} <= set(client.get("/models").json()["models"])


@pytest.mark.parametrize("path", ["/docs", "/metrics", "/", "/openapi.json", "/health/ready"])
def test_pages_are_there(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200


def test_one_request_id_goes_through_every_hop(client: httpx.Client, running: Any) -> None:
    client.post("/calibrate", json={}, headers={"X-Request-ID": "not-forwarded"})
    surface = GRID | {"model_type": "VarianceGamma", "parameters": TRUTH}
    client.post("/price", json=surface, headers={"X-Request-ID": "desk-7"})
    deadline = time.monotonic() + 5
    services: set[str] = set()
    # A service writes its line after it has answered.
    while time.monotonic() < deadline and len(services) < 2:
        # A slow start is announced in plain text.
        texts = (line for line in running.log.read_text().splitlines() if line.startswith("{"))
        lines = [json.loads(text) for text in texts]
        services = {line["service"] for line in lines if line.get("request_id") == "desk-7"}
    assert services == {"levy_gateway", "levy_pricing"}


@pytest.mark.parametrize("size", [300_000, 8_000_000])
def test_a_large_body_is_rejected_and_the_response_arrives(client: httpx.Client, size: int) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post("/price", content=b" " * size, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["code"] == "body-too-large"


def test_redis_listens_on_a_socket_that_only_its_user_can_open(running: Any) -> None:
    path = Path(running.said.split("unix://")[1].split()[0])
    assert path.parent.stat().st_mode & 0o077 == 0
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b"PING\r\n")
        assert connection.recv(16) == b"+PONG\r\n"


def test_only_the_gateway_s_port_is_printed_and_all_ports_are_local(running: Any) -> None:
    listening = subprocess.run(
        ["cat", "/proc/net/tcp", "/proc/net/tcp6"], capture_output=True, text=True, check=True
    ).stdout
    port = f"{running.port:04X}"
    addresses = [line.split()[1] for line in listening.splitlines() if f":{port} " in line]
    assert f"0100007F:{port}" in addresses
    assert f"00000000:{port}" not in addresses


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_and_leaves_nothing(
    system: Any, survivors: Callable[..., list[int]], number: int
) -> None:
    folder = Path(system.said.split("unix://")[1].split()[0]).parent
    assert system.stop(number) == 0
    assert survivors(list(system.children.values())) == []
    assert not folder.exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", system.port)) != 0


def test_a_request_in_flight_is_completed_before_the_end(system: Any) -> None:
    # No model fits flat prices; the search takes a second.
    surface = GRID | {"model_type": "Meixner", "prices": [[20.0 + i] * 7 for i in range(3)]}
    code = (
        "import httpx, sys; "
        f"r = httpx.post('{system.url}/calibrate', json={surface!r}, timeout=30, trust_env=False); "
        "print(r.status_code)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as asking:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not _busy(system.url):
            time.sleep(0.005)
        assert system.stop() == 0
        assert asking.communicate(timeout=30)[0].strip() == "200"


def _busy(url: str) -> bool:
    text = httpx.get(f"{url}/metrics", trust_env=False).text
    # The request for the metrics is itself in flight.
    return "levy_gateway_requests_in_flight 2.0" in text


def health(system: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = httpx.get(
            f"{system.url}/health", timeout=10, trust_env=False
        ).json()
    except httpx.TransportError:
        return {"status": "unreachable"}
    return found


def sample(system: Any, n_draws: int, seed: int = 0) -> str:
    """Submit a job and return its status URL."""
    job = GRID | {"model_type": "VarianceGamma", "engine": "laplace-psis", "seed": seed}
    job |= {"num_chains": 1, "num_samples": n_draws, "prices": PRICES}
    answer = httpx.post(f"{system.url}/calibrate/bayesian", json=job, timeout=30, trust_env=False)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["Location"])


def ended(system: Any, place: str) -> bool:
    try:
        job = httpx.get(system.url + place, timeout=10, trust_env=False).json()
    except httpx.TransportError:
        return False
    assert job.get("status") != "failed", job
    return bool(job.get("status") == "succeeded")


@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_killed_part_restarts_and_the_others_keep_their_processes(system: Any, name: str) -> None:
    job = sample(system, 500)
    before = system.child(name)
    os.kill(before, signal.SIGKILL)
    if name not in {"bayesian", "gateway"}:
        # The gateway counts a lost worker for fifteen seconds.
        until(lambda: health(system)["status"] == "degraded")
        assert httpx.get(f"{system.url}/models", timeout=10, trust_env=False).status_code in (
            {503} if name == "pricing" else {200}
        )
    until(lambda: system.child(name) not in {None, before})
    until(lambda: health(system)["status"] == "healthy")
    until(lambda: ended(system, job))
    assert f"{name} was killed by SIGKILL; restarting it in 0.25 s" in system.log.read_text()
    others = PARTS - {name}
    assert {part: system.child(part) for part in others} == {
        part: system.children[part] for part in others
    }


def test_a_part_that_fails_repeatedly_ends_the_system_with_the_reason(
    system: Any, survivors: Callable[..., list[int]]
) -> None:
    for _ in range(6):
        until(lambda: system.child("redis-cache") is not None)
        os.kill(system.child("redis-cache"), signal.SIGKILL)
        until(lambda: system.child("redis-cache") is None)
    assert system.process.wait(timeout=20) == 1
    reason = "redis-cache was killed by SIGKILL; it failed 6 times in a row; stopping everything"
    assert reason in system.log.read_text()
    assert survivors(list(system.children.values())) == []


def test_nothing_outlives_a_supervisor_that_is_killed_and_a_restart_continues_its_jobs(
    system: Any, survivors: Callable[..., list[int]], tmp_path: Path
) -> None:
    jobs = [sample(system, 20_000, seed) for seed in range(4)]
    system.process.kill()
    assert not all(ended(system, job) for job in jobs)
    again = type(system)(system.port, tmp_path / "again.log", tmp_path / "state")
    try:
        # The worker first completes the job that it runs.
        assert survivors(list(system.children.values()), 40.0) == []
        for job in jobs:
            until(lambda: ended(again, job))  # noqa: B023 - called at once
    finally:
        again.clean_up()


def test_a_state_folder_in_use_is_reported(system: Any, tmp_path: Path) -> None:
    command = (sys.executable, "-m", "levy_cli.main", "serve", "--port", "0")
    second = subprocess.run(
        [*command, "--state-dir", str(tmp_path / "state")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 1
    assert "state is in use by another levy serve; choose another --state-dir" in second.stderr
    assert health(system)["status"] == "healthy"


def test_a_upstream_service_that_hangs_is_a_degraded_system(system: Any) -> None:
    os.kill(system.child("calibration"), signal.SIGSTOP)
    try:
        answer = httpx.get(f"{system.url}/health", timeout=10, trust_env=False)
        assert answer.json()["status"] == "degraded"
        surface = GRID | {"model_type": "VarianceGamma", "parameters": TRUTH}
        priced = httpx.post(f"{system.url}/price", json=surface, timeout=10, trust_env=False)
        assert priced.status_code == 200
    finally:
        os.kill(system.child("calibration"), signal.SIGCONT)


def test_a_port_in_use_is_reported_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                f"from levy_cli.serve import serve; raise SystemExit(serve({port}))",
            ],
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr
    assert done.stdout == ""
