"""Every option of every command with every kind of invalid value: one line, no traceback."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from levy_cli.command_line import command_line
from levy_cli.main import main

CLEANED = ("inspect", "calibrate", "compare", "bayes", "follow")
GOOD: dict[str, list[str]] = {
    "price": [
        *("--model", "BS", "--params", '{"sigma": 0.2}', "--spot", "100"),
        *("--strikes", "100", "--maturities", "1"),
    ],
    "inspect": ["quotes.csv"],
    "convert": ["quotes.csv", "out.csv"],
    "sample": ["out.csv"],
    "calibrate": ["quotes.csv", "--model", "BS"],
    "compare": ["quotes.csv", "--models", "BS", "--workers", "1"],
    "bayes": [
        *("quotes.csv", "--model", "BS", "--engine", "laplace-psis"),
        *("--chains", "1", "--samples", "100", "--warmup", "100"),
    ],
    "dataset": ["--model", "VarianceGamma", "--size", "2", "--workers", "1"],
    "train": ["--model", "VarianceGamma", "--network", "mlp", "--data", "absent"],
    "registry": ["list"],
    "replay": ["absent.jsonl"],
    "validate": ["--model", "BS", "--suite", "model_comparison", "--quotes", "quotes.csv"],
    "follow": ["quotes.csv", "--model", "BS"],
    "models": [],
    "serve": ["--port", "0"],
    "completion": ["bash"],
}
BAD = {
    "not a number": "nan",
    "negative": "-1",
    "infinite": "1e400",
    "huge": "9" * 30,
    "empty": "",
    "folder": "folder",
    "missing": "missing/file.csv",
    "binary": "binary.csv",
    "control characters": "a\x1b[31m\nb.csv",
    "JSON": "[]",
}
ANY_NAME = set(BAD) - {"empty", "folder", "missing"}
ACCEPTED: dict[tuple[str, str], set[str]] = {
    ("price", "--rate"): {"negative"},
    ("price", "--dividend"): {"negative"},
    ("convert", "out"): {"binary", "control characters"},
    ("sample", "out"): {"binary", "control characters"},
    ("calibrate", "--surface"): {"binary", "control characters"},
    ("bayes", "--out"): ANY_NAME,
    ("dataset", "--out"): set(BAD) - {"empty", "binary"},
    ("validate", "--out"): set(BAD) - {"empty", "binary"},
    ("registry", "--registry"): {"folder"},
    ("serve", "--state-dir"): set(BAD) - {"empty", "binary"},
    # These are not used: the data, and before them the recipe, do not exist.
    ("train", "--runs"): set(BAD) - {"empty"},
    ("train", "--registry"): set(BAD) - {"empty"},
    **{
        (c, f"--max-{name}"): {"huge"}
        for c in (*CLEANED, "validate")
        for name in ("maturity", "moneyness")
    },
    **{(c, "--plot"): ANY_NAME for c in CLEANED},
    # "nan" has the form of a currency's code.
    **{(c, "--currency"): {"not a number"} for c in ("convert", "validate", *CLEANED)},
}
"""Values that are valid: a rate may be negative, and a new file may have any name."""


def options() -> Iterator[Any]:
    """Yield each command with each of its options that has a value."""
    (commands,) = (a for a in command_line()._actions if isinstance(a, argparse._SubParsersAction))
    assert set(commands.choices) == set(GOOD)
    for command, parser in commands.choices.items():
        for action in parser._actions:
            if action.nargs != 0:
                name = action.option_strings[-1] if action.option_strings else action.dest
                # Keras takes seconds to import.
                marks = [pytest.mark.long] if command in ("train", "dataset", "bayes") else []
                yield pytest.param(command, name, marks=marks, id=f"{command} {name}")


def with_value(command: str, option: str, value: str) -> list[str]:
    """Return the valid arguments of a command with one of them replaced or added."""
    arguments = list(GOOD[command])
    if not option.startswith("-"):
        if option in ("quotes", "action", "shell", "log"):
            return [command, value, *arguments[1:]]
        kept = arguments[:-1] if option == "out" else arguments
        return [command, *kept, value]
    if option in arguments:
        del arguments[arguments.index(option) : arguments.index(option) + 2]
    return [command, *arguments, f"{option}={value}"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quotes: Path) -> None:
    """Work in a folder with a file of quotes, a binary file and a folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "quotes.csv").write_bytes(quotes.read_bytes())
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "folder").mkdir()


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the exit code and what was written to standard error."""
    try:
        code = main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, capsys.readouterr().err


@pytest.mark.parametrize(("command", "option"), list(options()))
def test_an_invalid_value_is_reported_in_one_line(
    command: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, value in BAD.items():
        if kind in ACCEPTED.get((command, option), ()):
            continue
        code, error = run(with_value(command, option, value), capsys)
        assert code in (1, 2), f"{kind} is accepted"
        assert error.startswith(f"levy {command}: "), kind
        assert error.count("\n") == 1, error
        assert "\x1b" not in error


@pytest.mark.parametrize("command", sorted(GOOD))
def test_an_unknown_option_is_reported_in_one_line(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, error = run([command, *GOOD[command], "--guess"], capsys)
    assert (code, error) == (2, "levy: unrecognized arguments: --guess (see levy --help)\n")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--plot", "folder", "levy calibrate: folder is a folder; name a file in it\n"),
        (
            "--plot",
            "missing/fit.html",
            "levy calibrate: missing/fit.html: its folder does not exist; create it\n",
        ),
    ],
)
def test_a_report_that_cannot_be_written_is_reported_before_the_quotes_are_read(
    option: str, value: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("quotes.csv").unlink()
    assert run(with_value("calibrate", option, value), capsys) == (2, message)
