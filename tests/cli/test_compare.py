import json
from pathlib import Path

import pandas as pd
import pytest

from levy_cli.cleaned import CleanedQuotes
from levy_cli.comparing import compare_models, models_named
from levy_cli.main import main
from levy_numerics import models
from levy_schemas.comparison import ComparisonResult
from levy_surfaces.cleaning import clean
from levy_surfaces.reading import read_quotes

THREE = ("--models", "BlackScholes,VarianceGamma,NIG")


def compare(quotes: Path, *more: str) -> int:
    return main(["compare", str(quotes), *more])


def test_json_is_one_document_and_a_valid_response_of_the_service(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(quotes, *THREE, "--json") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    document = json.loads(captured.out)
    shared = {k: v for k, v in document.items() if k != "dropped"}
    answer = ComparisonResult.model_validate(shared)
    assert [one.model_type for one in answer.results] == ["VarianceGamma", "NIG", "BlackScholes"]
    assert answer.results[0].in_spread_share == 1.0
    assert document["cleaning"]["counts"]["crossed"] == 1


def test_a_table_ranks_models_in_and_out_of_sample(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(quotes, *THREE) == 0
    shown = capsys.readouterr().out
    headings = ("in sample", "strikes out", "expiries out", "in spread")
    for part in ("ACME 2024-01-03", *headings, "100%"):
        assert part in shown
    assert shown.index("VarianceGamma ") < shown.index("NIG ") < shown.index("BlackScholes ")
    assert "Best: VarianceGamma, sigma = 0.2" in shown


def test_models_are_compared_in_processes_of_their_own(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    documents = []
    for workers in ("1", "2"):
        assert compare(quotes, *THREE, "--workers", workers, "--json") == 0
        documents.append(json.loads(capsys.readouterr().out))
    alone, together = ([fit["parameters"] for fit in document["results"]] for document in documents)
    assert alone == together


@pytest.mark.slow
def test_every_model_is_compared_by_default(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(quotes, "--workers", "2", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    found = [one["model_type"] for one in document["results"]]
    assert sorted(found) == sorted(models.names())
    assert found[-1] == "BlackScholes"


def test_the_page_stands_alone_and_shows_the_comparison(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "comparison.html"
    assert compare(quotes, *THREE, "--plot", str(page)) == 0
    assert "comparison.html" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "<h1>3 models on ACME 2024-01-03</h1>" in text
    assert text.count('class="plotly-graph-div"') == 3
    assert "<script src=" not in text
    for part in ("Ranking", "Errors by expiry", "2024-04-03 (91 d)", "within the spread"):
        assert part in text


def test_a_model_with_too_few_quotes_is_reported_separately(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(quotes)
    few = frame[(frame["expiry"] == "2024-07-03") & frame["strike"].isin([90, 100, 105])]
    few.to_csv(tmp_path / "few.csv", index=False)
    assert compare(tmp_path / "few.csv", "--models", "BlackScholes,Kou") == 0
    assert "Not fitted: Kou" in capsys.readouterr().out


def test_an_unknown_model_is_rejected_before_reading_quotes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(tmp_path / "absent.csv", "--models", "NIG,Heston") == 2
    assert "unknown model 'Heston'" in capsys.readouterr().err


@pytest.mark.parametrize("workers", ["0", "-1", "many"])
def test_workers_are_a_positive_number(
    quotes: Path, capsys: pytest.CaptureFixture[str], workers: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        compare(quotes, "--workers", workers)
    assert stopped.value.code == 2
    assert "not an integer from 1 to 256" in capsys.readouterr().err


def test_a_missing_folder_is_reported_before_the_fits(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(quotes, "--plot", str(tmp_path / "nowhere" / "page.html")) == 2
    assert "folder does not exist" in capsys.readouterr().err


def test_each_fit_is_the_best_of_several_starts(quotes: Path) -> None:
    cleaned = CleanedQuotes(clean(read_quotes(quotes)))
    selected = models_named("VarianceGamma")
    failed = compare_models(cleaned, selected, n_starts=0, workers=1).result.not_fitted
    assert [one.detail for one in failed] == ["n_starts = 0 must lie between 1 and 1000"]
    assert not compare_models(cleaned, selected, workers=1).result.not_fitted
