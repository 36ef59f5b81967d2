"""`levy follow`: daily files, resumption, and days that cannot be used."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from levy_cli.main import main

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
