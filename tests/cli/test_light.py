"""Commands import only what they need, which keeps their start-up fast."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import levy_numerics
from levy_cli.main import main

PRICE = [
    *("price", "--model", "BlackScholes", "--params", '{"sigma": 0.2}'),
    *("--spot", "100", "--strikes", "100", "--maturities", "1"),
]
HEAVY = {"fastapi", "jax", "pandas", "plotly", "pyarrow", "structlog", "tensorflow", "uvicorn"}


def loaded_by(arguments: list[str]) -> set[str]:
    """Return the modules loaded after `levy` has run in a new interpreter."""
    code = (
        "import sys\n"
        "from levy_cli.main import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit:\n"
        "    pass\n"
        "print('\\n' + ' '.join(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["calibrate", "--help"]])
def test_help_imports_nothing_but_the_parser(arguments: list[str]) -> None:
    assert loaded_by(arguments).isdisjoint({*HEAVY, "numpy", "scipy", "pydantic", "rich"})


def test_the_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.split() == ["levy", version("levy-calibration-engine")]
    assert levy_numerics.__version__ == version("levy-calibration-engine")


def test_prices_as_json_need_numerics_and_schemas_alone() -> None:
    loaded = loaded_by([*PRICE, "--json"])
    assert loaded.isdisjoint({*HEAVY, "rich", "scipy.optimize", "scipy.stats"})
    assert "levy_numerics.pricing" in loaded


def test_a_table_of_prices_adds_only_what_draws_it() -> None:
    loaded = loaded_by(PRICE)
    assert loaded.isdisjoint({*HEAVY, "scipy.optimize", "scipy.stats"})
    assert "rich" in loaded


def test_a_fit_without_plots_needs_no_plots_and_no_web(quotes: Path) -> None:
    arguments = ["calibrate", str(quotes), "--model", "BlackScholes", "--json"]
    assert loaded_by(arguments).isdisjoint(HEAVY - {"pandas", "pyarrow"})


def test_the_catalogue_is_light() -> None:
    assert loaded_by(["models", "--json"]).isdisjoint({*HEAVY, "rich"})
