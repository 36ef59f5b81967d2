"""A real Prometheus that scrapes real services every two seconds."""

import json
import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from tests.deploy.rules import PROMETHEUS
from tests.processes import Process, Service, free_port

RULES = PROMETHEUS / "rules"
_SECONDS = 60.0


def needs_prometheus() -> None:
    """Skip the test if Prometheus is not installed."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed; Debian's package of that name has it")


class Prometheus(Process):
    """Debian's Prometheus with the project's rules; `job` is the name of a service.

    Parameters
    ----------
    folder : Path
        Folder of its data.
    services : sequence of Service
        Services to scrape.
    rules : Path
        Folder of rules.
    """

    def __init__(self, folder: Path, services: Sequence[Service], rules: Path = RULES) -> None:
        self._address = f"127.0.0.1:{free_port()}"
        configuration = folder / "prometheus.yml"
        watched = [
            {"job_name": each.name, "static_configs": [{"targets": [f"127.0.0.1:{each.port}"]}]}
            for each in services
        ]
        often = {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"}
        document = {
            "global": often,
            "rule_files": [str(rules / "*.yml")],
            "scrape_configs": watched,
        }
        configuration.write_text(json.dumps(document))
        binary = shutil.which("prometheus")
        assert binary is not None
        options = (f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'data'}")
        listens = f"--web.listen-address={self._address}"
        super().__init__([binary, *options, listens], {}, folder / "prometheus.log")

    def wait_until_ready(self) -> Self:
        """Wait until Prometheus is ready: before, it accepts connections and returns 503."""
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            if self._is_ready():
                return self
            time.sleep(0.2)
        raise RuntimeError("Prometheus did not start")

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"http://{self._address}/-/ready", trust_env=False).is_success
        except httpx.TransportError:
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Run an instant query."""
        answer = httpx.get(
            f"http://{self._address}/api/v1/query",
            params={"query": expression},
            timeout=30.0,
            trust_env=False,
        ).json()
        assert answer["status"] == "success", answer
        return list(answer["data"]["result"])

    def found(self, expression: str) -> bool:
        """Return whether an expression has values that are numbers."""
        return any(math.isfinite(float(each["value"][1])) for each in self.query(expression))

    def fires(self, alert: str, **labels: str) -> bool:
        """Return whether an alert fires."""
        wanted = {"alertname": alert, "alertstate": "firing", **labels}
        matches = ", ".join(f'{name}="{value}"' for name, value in wanted.items())
        return bool(self.query(f"ALERTS{{{matches}}}"))
