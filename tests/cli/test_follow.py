"""`levy follow`: daily files, resumption, and days that cannot be used."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from levy_cli.main import main
from tests.processes import family_of

RUN = "import sys; from levy_cli.main import main; sys.exit(main())"
DAYS = ("2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08")


@pytest.fixture
def days(quotes: Path, tmp_path: Path) -> Path:
    """Write a folder of four days, with errors of 0.1% of the price."""
    frame = pd.read_csv(quotes)
    rng = np.random.default_rng(3)
    folder = tmp_path / "days"
    folder.mkdir()
    for day in DAYS:
        noise = 1.0 + 0.001 * rng.standard_normal(len(frame))
        one = frame.assign(quote_date=day, bid=frame["bid"] * noise, ask=frame["ask"] * noise)
        one.to_csv(folder / f"{day}.csv", index=False)
    return folder


def follow(quotes: Path, *more: str) -> int:
    return main(["follow", str(quotes), "--model", "vg", *more])


def test_each_day_has_a_row_with_intervals_and_the_error_of_its_prediction(
    days: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow(days, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["day"] for row in document["days"]] == list(DAYS)
    assert (document["model"], document["estimator"]) == ("VarianceGamma", "filter")
    first, *later = document["days"]
    assert first["predicted_rmse_vol"] is None
    for row in later:
        assert 0.0 < row["predicted_rmse_vol"] < 0.01
        assert row["sigma_low"] < row["sigma"] < row["sigma_high"]
    assert document["n_days"] == len(DAYS)


def test_one_file_of_several_days_is_followed_as_a_folder(
    days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    together = tmp_path / "all.csv"
    frames = [pd.read_csv(path) for path in sorted(days.iterdir())]
    pd.concat(frames).sample(frac=1.0, random_state=1).to_csv(together, index=False)
    parameters = []
    for quotes in (days, together):
        assert follow(quotes, "--json") == 0
        parameters.append(
            [row["theta"] for row in json.loads(capsys.readouterr().out)["days"]],
        )
    np.testing.assert_allclose(*parameters, rtol=1e-6)


def test_a_walk_continues_after_its_last_day(
    days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, whole = tmp_path / "path.parquet", tmp_path / "whole.parquet"
    later = days / f"{DAYS[-1]}.csv"
    hidden = later.rename(tmp_path / "later.csv")
    assert follow(days, "--out", str(out)) == 0
    assert len(pd.read_parquet(out)) == 3
    hidden.rename(later)
    capsys.readouterr()
    assert follow(days, "--out", str(out)) == 0
    assert "3 days were followed before" in capsys.readouterr().out
    assert follow(days, "--out", str(whole)) == 0
    resumed, once = (pd.read_parquet(path) for path in (out, whole))
    columns = ["day", "sigma", "nu", "theta", "sigma_low", "predicted_rmse_vol"]
    pd.testing.assert_frame_equal(resumed[columns], once[columns])


def test_a_path_of_another_model_is_not_continued(
    days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "path.parquet"
    assert follow(days, "--out", str(out)) == 0
    capsys.readouterr()
    assert main(["follow", str(days), "--model", "NIG", "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert "days of VarianceGamma, filter, not of NIG, filter" in error
    assert "--restart" in error
    assert main(["follow", str(days), "--model", "NIG", "--out", str(out), "--restart"]) == 0


def test_another_parquet_file_is_not_replaced(
    days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.parquet"
    pq.write_table(pa.table({"a": [1]}), out)
    assert follow(days, "--out", str(out)) == 2
    assert "not a file of levy follow" in capsys.readouterr().err
    assert pq.read_table(out).column_names == ["a"]


def test_a_damaged_day_does_not_stop_the_others(
    days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (days / f"{DAYS[1]}.csv").write_text("strike,bid\n100,1\n", encoding="utf-8")
    page = tmp_path / "path.html"
    assert follow(days, "--json", "--plot", str(page)) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["days"]) == 3
    assert len(document["skipped"]) == 1
    assert "left out" in document["skipped"][0]
    text = page.read_text(encoding="utf-8")
    assert "<h1>VarianceGamma through time</h1>" in text
    assert "<script src=" not in text
    assert '"tickformat":"~g"' in text


def test_a_file_without_a_usable_day_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("strike,bid\n100,1\n", encoding="utf-8")
    assert follow(bad) == 2
    assert capsys.readouterr().err.startswith("levy follow: ")


@pytest.fixture
def universe(days: Path, tmp_path: Path) -> Path:
    """Write a folder of three underlyings: a folder, a file of all days, and a damaged file."""
    folder = tmp_path / "universe"
    (folder / "first").mkdir(parents=True)
    frames = []
    for path in sorted(days.iterdir()):
        frame = pd.read_csv(path)
        frame.to_csv(folder / "first" / path.name, index=False)
        frames.append(frame)
    pd.concat(frames).to_csv(folder / "second.csv", index=False)
    (folder / "third.csv").write_text("strike,bid\n100,1\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "where",
    [
        ("--workers", "1"),
        pytest.param(("--workers", "2"), marks=pytest.mark.long),
        pytest.param(("--workers", "2", "--cluster", "local"), marks=pytest.mark.long),
    ],
    ids=["one process", "two processes", "Dask"],
)
def test_each_underlying_of_a_folder_has_a_path_and_a_failure_stops_none(
    where: tuple[str, ...], universe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "paths"
    assert follow(universe, "--each", "--out", str(out), "--json", *where) == 0
    results = json.loads(capsys.readouterr().out)["underlyings"]
    assert list(results) == ["first", "second", "third"]
    assert "columns are missing" in results["third"]["failure"]
    first, second = (pd.read_parquet(out / f"{name}.parquet") for name in ("first", "second"))
    assert list(first["day"]) == list(DAYS)
    np.testing.assert_allclose(first["theta"], second["theta"], rtol=1e-6)
    assert follow(universe, "--each", "--out", str(out), *where) == 0
    assert "2 of 3 underlyings" in capsys.readouterr().out


def test_each_requires_a_folder_of_underlyings_and_one_for_their_paths(
    quotes: Path, universe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow(universe, "--each") == 2
    assert "give --out FOLDER alone" in capsys.readouterr().err
    assert follow(quotes, "--each", "--out", str(tmp_path / "paths")) == 2
    assert "is not a folder of underlyings" in capsys.readouterr().err
    (universe / "first.csv").write_text("", encoding="utf-8")
    assert follow(universe, "--each", "--out", str(tmp_path / "paths")) == 2
    assert "two underlyings named first" in capsys.readouterr().err


@pytest.mark.long
def test_a_killed_worker_loses_no_day(universe: Path, tmp_path: Path) -> None:
    for k in range(12):
        text = (universe / "second.csv").read_text(encoding="utf-8")
        (universe / f"more{k}.csv").write_text(text, encoding="utf-8")
    out = tmp_path / "paths"
    command = [
        *(sys.executable, "-c", RUN, "follow", str(universe), "--model", "vg"),
        *("--each", "--out", str(out), "--workers", "2"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list(out.glob("*.parquet")):
        time.sleep(0.02)
    workers = [
        pid
        for pid in family_of(process.pid)
        if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(workers[0], signal.SIGKILL)
    _, error = process.communicate(timeout=120.0)
    assert process.returncode == 1
    assert "run the command again to continue" in error
    before = {path.name: pd.read_parquet(path) for path in out.glob("*.parquet")}
    assert 0 < len(before) < 14
    assert follow(universe, "--each", "--out", str(out), "--workers", "2") == 0
    after = {path.name: pd.read_parquet(path) for path in out.glob("*.parquet")}
    assert len(after) == 14
    for name, rows in after.items():
        assert list(rows["day"]) == list(DAYS)
        if name in before:  # rows that were written are kept, with their times
            columns = ["day", "theta", "seconds"]
            kept = rows.head(len(before[name]))[columns]
            pd.testing.assert_frame_equal(kept, before[name][columns])
