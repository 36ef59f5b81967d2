"""Input from files is escaped, and output files are written atomically."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from levy_cli.main import main
from levy_surfaces import atomic_files


def fit(quotes: Path, *more: str) -> int:
    return main(["calibrate", str(quotes), "--model", "BlackScholes", *more])


@pytest.fixture
def named(quotes: Path, tmp_path: Path) -> Path:
    """Write quotes whose names contain markup and terminal escapes."""
    path = tmp_path / "named.csv"
    frame = pd.read_csv(quotes).assign(
        underlying="[/x] :smile:\x1b[31m\x9b2J", root="[bold]\x1b[5m"
    )
    frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("more", [(), ("--per-maturity",)])
def test_names_from_a_file_are_printed_as_they_are(
    named: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    assert fit(named, *more) == 0
    shown = capsys.readouterr().out
    assert r"[/x] :smile:\x1b[31m\x9b2J 2024-01-03" in shown
    assert r"2024-04-03 [bold]\x1b[5m" in shown
    assert "\x1b" not in shown
    assert "\x9b" not in shown


def test_json_has_the_names_without_raw_controls(
    named: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(named, "--json") == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert json.loads(text)["underlying"] == "[/x] :smile:\x1b[31m\x9b2J"


def test_controls_of_a_file_are_escaped_in_errors(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad\x1b[31m.csv"
    frame = pd.read_csv(quotes).astype({"strike": object})
    frame.loc[0, "strike"] = "\x1b]0;owned\x07"
    frame.to_csv(path, index=False)
    assert fit(path) == 2
    error = capsys.readouterr().err
    assert r"bad\x1b[31m.csv: line 2, column strike: strike '\x1b]0;owned\x07'" in error
    assert "\x1b" not in error


def test_warnings_of_the_reader_are_in_text_json_and_page(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, page = tmp_path / "quotes.csv", tmp_path / "fit.html"
    frame = pd.read_csv(quotes).assign(quote_date="2024-01-03T10:00-05:00")
    frame.to_csv(path, index=False)
    expected = "expiry has no time of day: options are taken to expire at 16:00"
    assert fit(path, "--plot", str(page)) == 0
    assert expected[1:] in " ".join(capsys.readouterr().out.split())
    assert expected[1:] in page.read_text(encoding="utf-8")
    assert fit(path, "--json", "--expiry-time", "12:00") == 0
    document = json.loads(capsys.readouterr().out)
    assert any("expire at 12:00 in the time zone of quote_date" in w for w in document["warnings"])
    # 3 January 10:00 to 3 April 12:00: 91 days and 2 hours.
    assert document["forwards"][0]["maturity"] == pytest.approx((91 + 2 / 24) / 365)
    assert main(["compare", str(path), "--models", "BlackScholes", "--json"]) == 0
    assert any(expected in w for w in json.loads(capsys.readouterr().out)["warnings"])


@pytest.mark.parametrize("option", ["--plot", "--surface"])
def test_a_full_disk_leaves_the_earlier_output(
    quotes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    option: str,
) -> None:
    target = tmp_path / ("fit.html" if option == "--plot" else "surface.csv")
    target.write_text("earlier")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_files.os, "fsync", full)
    assert fit(quotes, option, str(target)) == 1
    message = capsys.readouterr().err
    assert "No space left on device" in message
    assert str(target) in message
    assert target.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_the_message_of_a_full_disk_names_the_file_of_standard_output() -> None:
    command = [sys.executable, "-m", "levy_cli.main", "models", "--json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "levy models: [Errno 28] No space left on device: '/dev/full'; free some space and repeat "
        "the command\n"
    )


def test_outputs_that_cannot_be_written_are_rejected_before_the_fit(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.csv"
    own.write_bytes(quotes.read_bytes())
    alias = tmp_path / "alias.csv"
    alias.symlink_to(own)
    cases = {
        ("--surface", str(own)): "is read as input",
        ("--surface", str(alias)): "is read as input",
        ("--surface", str(tmp_path / "surface.xlsx")): "quotes are written as",
        ("--plot", str(tmp_path)): "is a folder",
        (
            "--plot",
            str(tmp_path / "x.csv"),
            "--surface",
            str(tmp_path / "x.csv"),
        ): "also another output",
    }
    for options, complaint in cases.items():
        assert fit(own, *options) == 2
        assert complaint in capsys.readouterr().err
    assert own.read_bytes() == quotes.read_bytes()


def test_a_page_may_go_to_a_device(quotes: Path) -> None:
    assert fit(quotes, "--plot", os.devnull) == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("short.csv.gz", b"\x1f\x8b\x08"),
        ("broken.parquet", b"PAR1" + bytes(100) + b"PAR1"),
        ("binary.csv", bytes(range(256))),
    ],
)
@pytest.mark.parametrize("command", ["calibrate", "compare", "bayes"])
def test_damaged_files_are_misuse_in_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, name: str, content: bytes
) -> None:
    if command == "bayes":
        pytest.importorskip("jax")
    (tmp_path / name).write_bytes(content)
    model = ["--models", "NIG"] if command == "compare" else ["--model", "NIG"]
    assert main([command, str(tmp_path / name), *model]) == 2
    assert f"levy {command}: {name}: " in capsys.readouterr().err
