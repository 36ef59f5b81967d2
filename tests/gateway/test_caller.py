"""The name of a caller, from its API key at the gateway to the log of calibrations."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient

from levy_calibration import app as calibration_app
from levy_calibration.audit_log import read_entries
from levy_calibration.settings import CalibrationSettings
from levy_gateway.app import create_app
from levy_gateway.keys import digest_of, new_key
from levy_gateway.settings import GatewaySettings
from levy_schemas.headers import CALLER
from levy_schemas.surface import EXAMPLE_GRID
from tests.processes import free_port

KEY = new_key()
REQUEST = EXAMPLE_GRID | {"model_type": "BlackScholes", "method": "least_squares"}


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an app over HTTP, in a thread."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.long
def test_the_log_of_calibrations_names_the_holder_of_the_key(tmp_path: Path, pricing: Any) -> None:
    settings = CalibrationSettings(audit_log=tmp_path)
    with served(calibration_app.create_app(settings)) as url:
        gateway = GatewaySettings(api_keys={"desk": digest_of(KEY)}, calibration_url=url)
        with TestClient(create_app(gateway, pricing=pricing)) as client:
            # A header that the client sends is not the caller's name.
            headers = {"X-API-Key": KEY, CALLER: "someone else"}
            answer = client.post("/calibrate", json=REQUEST, headers=headers)
    assert answer.status_code == 200, answer.text
    (entry,) = read_entries(tmp_path)
    assert entry.who == "desk"
    assert entry.id == answer.json()["request_id"]
