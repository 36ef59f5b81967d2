"""The server process around an application."""

import gc
import subprocess
import sys

from fastapi import FastAPI
from fastapi.testclient import TestClient

from levy_service import server


def test_what_is_there_at_readiness_is_left_out_of_the_search_for_garbage(app: FastAPI) -> None:
    before = gc.get_freeze_count()
    try:
        with TestClient(server.settled(app)) as client:
            assert gc.get_freeze_count() > before
            assert client.get("/health/live").status_code == 200
    finally:
        gc.unfreeze()


def test_a_module_that_starts_workers_does_not_load_what_must_wait_for_its_folder() -> None:
    """prometheus_client selects its mode on import, so `run` sets the folder first."""
    code = "import sys, levy_service.server; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
