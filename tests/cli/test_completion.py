"""Completion scripts, run by the shells that they are for."""

import shutil
import subprocess
from pathlib import Path

import pytest

from levy_cli.main import main
from levy_numerics import models


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Write the script for bash."""
    assert main(["completion", "bash"]) == 0
    path = tmp_path / "levy.bash"
    path.write_text(capsys.readouterr().out)
    return path


def completed(script: Path, *words: str) -> set[str]:
    """Return what bash offers for the last word."""
    line = " ".join(words)
    commands = (
        f"source {script}\n"
        f"COMP_LINE={line!r}; COMP_POINT={len(line)}\n"
        f"COMP_WORDS=({' '.join(word or repr(word) for word in words)})\n"
        f"COMP_CWORD={len(words) - 1}\n"
        '"$(complete -p levy | sed "s/.*-F \\([^ ]*\\).*/\\1/")" levy\n'
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "-c", commands], capture_output=True, text=True, check=True, cwd=script.parent
    )
    return set(done.stdout.split())


def test_bash_completes_commands_options_choices_and_models(script: Path) -> None:
    assert completed(script, "levy", "ca") == {"calibrate"}
    assert completed(script, "levy", "calibrate", "--unc") == {"--uncertainty"}
    assert completed(script, "levy", "calibrate", "--weights", "") == {"price", "vega", "bid_ask"}
    assert completed(script, "levy", "price", "--model", "") == set(models.names())
    assert completed(script, "levy", "price", "--model", "VarianceGammaS") == {"VarianceGammaSato"}


def test_bash_completes_files(script: Path) -> None:
    (script.parent / "quotes.csv").touch()
    assert completed(script, "levy", "calibrate", "quo") == {"quotes.csv"}
    assert completed(script, "levy", "calibrate", "--plot", "quo") == {"quotes.csv"}


@pytest.mark.parametrize("shell", ["zsh", "fish", "tcsh"])
def test_every_shell_has_a_script_that_it_can_read(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "calibrate" in script
    assert "--uncertainty" in script or "uncertainty" in script
    if shutil.which(shell):
        path = tmp_path / "script"
        path.write_text(script)
        subprocess.run([shell, "-n", str(path)], check=True, capture_output=True)
