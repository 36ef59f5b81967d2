"""Two gateways and three calibration services behind nginx give identical results."""

import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes import Process, Service, Stack, family_of, free_port

pytestmark = pytest.mark.system

SURFACE: dict[str, Any] = {
    "model_type": "VarianceGamma",
    "spot_price": 100,
    "risk_free_rate": 0.05,
    "strikes": [90, 95, 100, 105, 110],
    "maturities": [0.25, 0.5, 1],
    "prices": [
        [12.09, 7.96, 4.44, 1.98, 0.88],
        [13.97, 10.19, 6.94, 4.36, 2.55],
        [17.24, 13.80, 10.75, 8.15, 6.00],
    ],
}
COMPUTED_NOW = {"Cache-Control": "no-store"}

CONFIGURATION = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_buffer_size 1m;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {balanced}
}}
"""
BALANCED = """
  upstream {name} {{ {servers} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://{name};
      proxy_read_timeout 60s;
      add_header X-Answered-By $upstream_addr always;
    }}
  }}
"""


class Balancer:
    """nginx in front of instances of several services.

    Parameters
    ----------
    folder : Path
        Folder of its configuration and logs.
    stack : Stack
        Stops it.
    names : tuple of str
        Services with a port of nginx.
    """

    def __init__(self, folder: Path, stack: Stack, *names: str) -> None:
        self._folder = folder
        self._stack = stack
        self._process: Process | None = None
        self._ports = {name: free_port() for name in names}
        self._behind: dict[str, list[Service]] = {name: [] for name in names}

    def url(self, name: str) -> str:
        """Return the URL of a service through nginx."""
        return f"http://127.0.0.1:{self._ports[name]}"

    def put(self, name: str, instances: list[Service]) -> None:
        """Route requests only to these instances; requests in flight elsewhere finish."""
        self._behind[name] = instances
        balanced = "".join(
            BALANCED.format(
                name=name,
                port=self._ports[name],
                servers=" ".join(f"server 127.0.0.1:{each.port};" for each in behind),
            )
            for name, behind in self._behind.items()
            if behind
        )
        file = self._folder / "nginx.conf"
        file.write_text(CONFIGURATION.format(folder=self._folder, balanced=balanced))
        if self._process is None:
            binary = shutil.which("nginx")
            assert binary is not None
            self._process = Process([binary, "-c", str(file), "-p", str(self._folder)], {})
            self._stack.callback(self._process.kill)
        else:
            self._reload()

    def _reload(self) -> None:
        """Reload nginx, and wait until processes with the old configuration have ended."""
        assert self._process is not None
        nginx = self._process.pid
        old = set(family_of(nginx)) - {nginx}
        self._process.send(signal.SIGHUP)
        deadline = time.monotonic() + 60
        while not old.isdisjoint(family_of(nginx)):
            assert time.monotonic() < deadline, "nginx still serves as it did"
            time.sleep(0.05)


class Replicas:
    """Several replicas of the engine.

    Parameters
    ----------
    stack : Stack
    folder : Path
    """

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._stack = stack
        self.balancer = Balancer(folder, stack, "calibration", "gateway")
        self.calibrations = [self._calibration() for _ in range(3)]
        self.balancer.put("calibration", self.calibrations)
        pricing = stack.service("pricing")
        self._settings = {
            "PRICING_URL": pricing.url,
            "CALIBRATION_URL": self.balancer.url("calibration"),
            "REDIS_URL": stack.redis(folder).url,
        }
        self.gateways = [self._gateway() for _ in range(2)]
        self.balancer.put("gateway", self.gateways)
        self.url = self.balancer.url("gateway")

    def _calibration(self) -> Service:
        return self._stack.service("calibration", settings={"THREADS": "1"})

    def _gateway(self) -> Service:
        return self._stack.service("gateway", settings=self._settings)

    def roll(self) -> None:
        """Replace every instance: the new one is ready before the old one is stopped."""
        for name, running, start in (
            ("calibration", self.calibrations, self._calibration),
            ("gateway", self.gateways, self._gateway),
        ):
            for place, old in enumerate(tuple(running)):
                running[place] = start()
                self.balancer.put(name, running)
                old.stop(60)

    def n_calibrations(self, service: Service) -> float:
        """Return the number of calibrations of an instance."""
        text = httpx.get(f"{service.url}/metrics", trust_env=False).text
        return sum(
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith("levy_calibration_request_seconds_count") and "/calibrate" in line
        )


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed; Debian's package of that name has it")
    with Stack() as stack:
        made = Replicas(stack, tmp_path_factory.mktemp("replicas"))
        _wait_until_reached(made.url)
        yield made


def _wait_until_reached(url: str) -> None:
    for _ in range(300):
        try:
            if httpx.get(f"{url}/health", trust_env=False).json()["model_loaded"]:
                return
        except (httpx.TransportError, ValueError):
            pass
        time.sleep(0.1)
    raise RuntimeError(f"{url} reaches no calibration service")


def test_all_replicas_return_the_same_result(replicas: Replicas) -> None:
    by: Counter[str] = Counter()
    results = set()
    with httpx.Client(base_url=replicas.url, timeout=60.0, trust_env=False) as client:
        for _ in range(24):
            answer = client.post("/calibrate", json=SURFACE, headers=COMPUTED_NOW)
            assert answer.status_code == 200, answer.text
            by[answer.headers["X-Answered-By"]] += 1
            found = answer.json()
            results.add((tuple(found["parameters"].values()), found["fit_quality"]["rmse"]))
    assert len(results) == 1
    assert set(by) == {f"127.0.0.1:{gateway.port}" for gateway in replicas.gateways}
    assert all(replicas.n_calibrations(each) > 0 for each in replicas.calibrations)


def test_a_result_that_one_gateway_kept_another_finds(replicas: Replicas) -> None:
    one, other = replicas.gateways
    fresh = SURFACE | {"spot_price": 100.002}
    answers = [
        httpx.post(f"{each.url}/calibrate", json=fresh, timeout=60.0, trust_env=False)
        for each in (one, other)
    ]
    assert "stored" in answers[0].headers["Cache-Status"]
    assert answers[1].headers["Cache-Status"] == "levy; hit"


def test_replacing_every_instance_loses_no_request(replicas: Replicas) -> None:
    answered: Counter[int] = Counter()
    stop = threading.Event()

    def ask() -> None:
        # One connection per request, as load balancers see many clients.
        while not stop.is_set():
            answer = httpx.post(
                f"{replicas.url}/calibrate",
                json=SURFACE,
                headers=COMPUTED_NOW,
                timeout=60.0,
                trust_env=False,
            )
            answered[answer.status_code] += 1

    lost: list[BaseException] = []

    def watched() -> None:
        try:
            ask()
        except httpx.HTTPError as error:
            lost.append(error)

    clients = [threading.Thread(target=watched) for _ in range(3)]
    before = {each.pid for each in (*replicas.calibrations, *replicas.gateways)}
    for client in clients:
        client.start()
    try:
        replicas.roll()
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert before.isdisjoint(each.pid for each in (*replicas.calibrations, *replicas.gateways))
    assert lost == []
    assert set(answered) == {200}
    print(f"\nreplaced 5 instances under {answered[200]} requests")  # noqa: T201 - a figure of the run
