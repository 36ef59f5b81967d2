import json
import time
from pathlib import Path

import pandas as pd
import pytest

from levy_cli.main import main


def validate(folder: Path, *more: str) -> int:
    return main(["validate", "--model", "vg", "--out", str(folder), *more])


@pytest.mark.long
def test_an_analysis_writes_a_page_and_a_document(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new"
    suite = ("--suite", "explainability", "--no-network", "--quotes", str(quotes))
    assert validate(folder, *suite) == 0
    assert "Explainability" in capsys.readouterr().out
    document = json.loads((folder / "validation.json").read_text(encoding="utf-8"))
    assert document["model_type"] == "VarianceGamma"
    assert [a["name"] for a in document["analyses"]] == ["explainability"]
    assert document["surfaces"][0]["name"] == "2024-01-03"
    page = (folder / "validation.html").read_text(encoding="utf-8")
    assert "<h1>Validation of VarianceGamma</h1>" in page
    assert "<script src=" not in page
    for figure in document["analyses"][0]["figures"]:
        assert figure in page


@pytest.mark.system
def test_the_quick_suite_runs_every_analysis_in_little_processor_time(tmp_path: Path) -> None:
    started = time.process_time()
    assert validate(tmp_path, "--suite", "quick") == 0
    # About 30 s on a quiet core, and twice as long beside other programs.
    assert time.process_time() - started < 100.0
    document = json.loads((tmp_path / "validation.json").read_text(encoding="utf-8"))
    assert [a["reason"] for a in document["analyses"]] == [None] * len(document["analyses"])
    assert len(document["analyses"]) == 8


def test_an_unknown_analysis_is_refused_with_the_most_similar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate(tmp_path, "--suite", "robustnes") == 2
    assert "did you mean robustness?" in capsys.readouterr().err


def test_a_folder_of_days_is_read_in_the_order_of_time(quotes: Path, tmp_path: Path) -> None:
    from levy_cli.command_line import command_line
    from levy_cli.daily_surfaces import DailySurfaces

    frame = pd.read_csv(quotes)
    days = tmp_path / "days"
    days.mkdir()
    frame.assign(quote_date="2024-01-05").to_csv(days / "a.csv", index=False)
    frame.assign(quote_date="2024-01-04").to_csv(days / "b.csv", index=False)
    (days / "c.csv").write_text("strike,bid\n1,2\n", encoding="utf-8")
    options = command_line().parse_args(["validate", "--model", "vg", "--quotes", str(days)])
    daily = DailySurfaces.of(options, 5)
    assert [s.name for s in daily.surfaces] == ["2024-01-04", "2024-01-05"]
    assert len(daily.skipped) == 1
    assert daily.skipped[0].startswith("c.csv is left out: ")


def test_without_the_extra_the_message_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "SALib.sample", None)
    for name in ("levy_validation.analyses.sensitivity", "levy_validation.sobol"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert validate(tmp_path, "--suite", "quick") == 1
    assert "levy-calibration-engine[validation]" in capsys.readouterr().err
