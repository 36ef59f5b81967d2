"""Ctrl-C ends a command with one line and exit status 130."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import levy_cli.commands.serve  # noqa: F401 - patched below
from levy_cli.main import main
from levy_numerics import models, pricing
from levy_numerics.market import Contracts
from tests.processes import family_of

SCRIPT = "import sys; from levy_cli.main import main; sys.exit(main())"
"""That of the entry point."""

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def surface(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 1,000 quotes with errors, which take models with a clock seconds to fit."""
    contracts = Contracts.grid(
        spot=100.0,
        rate=0.03,
        dividend_yield=0.0,
        strikes=np.linspace(80.0, 120.0, 40),
        maturities=np.linspace(0.25, 2.5, 25),
    )
    price = pricing.price(models.CGMYCIR.example(), contracts).value
    noise = 1.0 + 0.01 * np.random.default_rng(1).standard_normal(price.size)
    path = tmp_path_factory.mktemp("surface") / "quotes.csv"
    pd.DataFrame(
        {
            "maturity_years": contracts.maturity_years,
            "strike": contracts.strike,
            "option_type": "C",
            "mid": price * noise,
            "forward": contracts.forward,
            "discount": contracts.discount,
        }
    ).to_csv(path, index=False)
    return path


def test_an_interrupt_in_a_finalizer_is_not_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def wait(_options: argparse.Namespace) -> int:
        Interrupted()
        time.sleep(10.0)
        return 0

    monkeypatch.setattr("levy_cli.commands.serve.run", wait)
    assert main(["serve"]) == 130
    assert capsys.readouterr().err == "levy serve: interrupted\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["calibrate", "--model", "CGMYCIR", "--starts", "1000"],
        ["compare", "--models", "all", "--workers", "2"],
        pytest.param(["bayes", "--model", "CGMY", "--samples", "100000"], marks=pytest.mark.slow),
    ],
    ids=lambda arguments: arguments[0],
)
def test_an_interrupt_is_one_line_and_status_130(surface: Path, arguments: list[str]) -> None:
    command, *options = arguments
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, command, str(surface), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    if command == "compare":
        # It ends within seconds on a fast machine: interrupt it soon after its workers start.
        while process.poll() is None and len(family_of(process.pid)) < 3:
            time.sleep(0.1)
        time.sleep(1.0)
    else:
        time.sleep(30.0 if command == "bayes" else 8.0)
    assert process.poll() is None, process.communicate()
    # As a terminal does: every process of the group receives the signal.
    os.killpg(process.pid, signal.SIGINT)
    out, error = process.communicate(timeout=60.0)
    assert (process.returncode, out, error) == (130, "", f"levy {command}: interrupted\n")
