"""Distributed training on several devices."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from levy_calibration.training import distribution
from levy_calibration.training.distribution import strategy_of
from levy_numerics.errors import UnsupportedError

SCRIPT = Path(__file__).with_name("on_two_devices.py")


@pytest.mark.long
def test_two_devices_train_a_network_that_is_served(data_folder: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(data_folder), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["replicas"], found["copies"]) == (2, 2)
    assert len(found["scores"]) == 8
    assert found["scores"][-1] < found["scores"][0]
    # The midpoint has an error of 0.29.
    assert found["rmse"] < 0.25
    assert found["apart"] < 1e-3


def test_the_strategy_none_is_accepted_by_name() -> None:
    assert strategy_of("none") is None


def test_other_backends_than_tensorflow_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution.keras.backend, "backend", lambda: "jax")
    with pytest.raises(UnsupportedError, match="KERAS_BACKEND=tensorflow"):
        strategy_of("mirrored")
