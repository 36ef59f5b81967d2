import json
from pathlib import Path

import pandas as pd
import pytest

from levy_cli.main import main
from levy_numerics import models, pricing
from levy_numerics.market import Contracts
from levy_numerics.pricing.early_exercise import Terms
from levy_schemas.calibration import CalibrationResult
from levy_surfaces.surface import read_surface
from tests.cli.conftest import PARAMETERS


def fit(quotes: Path, *more: str, model: str = "VarianceGamma") -> int:
    return main(["calibrate", str(quotes), "--model", model, *more])


def test_json_is_one_document_with_a_residual_for_each_quote(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(quotes, "--json") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    document = json.loads(captured.out)
    for name, value in PARAMETERS.items():
        assert document["parameters"][name] == pytest.approx(value, rel=1e-2)
    assert document["status"] == "converged"
    assert len(document["residuals"]) == document["fit_quality"]["n_quotes"]
    residual = document["residuals"][0]
    assert residual["model_price"] - residual["market_price"] == pytest.approx(
        residual["residual"], abs=1e-12
    )
    assert {"strike", "maturity", "option_type", "bid", "ask", "market_vol"} <= set(residual)


def test_json_is_a_valid_response_of_the_service(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(quotes, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    shared = {k: v for k, v in document.items() if k != "dropped"}
    assert CalibrationResult.model_validate(shared).model_type == "VarianceGamma"


def test_dropped_quotes_are_reported_with_the_reason(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(quotes, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    crossed = [q for q in document["dropped"] if q["reason"] == "crossed"]
    assert [(q["row"], q["strike"], q["option_type"]) for q in crossed] == [(2, 75.0, "C")]
    assert crossed[0]["message"] == "the bid is above the ask"
    assert document["cleaning"]["counts"]["crossed"] == 1
    assert document["cleaning"]["n_read"] == 66


def test_hybrid_without_a_network_is_degraded_with_a_warning(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(quotes, "--json", model="Kou") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["degraded"] is True
    assert document["method"] == "least_squares"
    assert any("no network is ready" in warning for warning in document["warnings"])
    assert fit(quotes, "--json", "--method", "least_squares", model="Kou") == 0
    assert json.loads(capsys.readouterr().out)["degraded"] is False


def test_the_network_that_comes_along_starts_the_fit(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(quotes, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["method"] == "hybrid"
    assert document["degraded"] is False
    assert document["model_version"].startswith("set-")


def test_an_empty_registry_of_ones_own_leaves_least_squares(
    quotes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LEVY_CALIBRATION_REGISTRY", str(tmp_path))
    assert fit(quotes, "--json") == 0
    assert json.loads(capsys.readouterr().out)["method"] == "least_squares"
    monkeypatch.setenv("LEVY_CALIBRATION_REGISTRY", str(tmp_path / "absent"))
    assert fit(quotes, "--json") == 2
    assert "not a folder of trained networks" in capsys.readouterr().err


def test_neural_without_a_network_is_rejected(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(quotes, "--method", "neural", model="Kou") == 2
    assert "no network is ready for Kou" in capsys.readouterr().err


def test_tables_report_cleaning_parameters_and_fit_quality(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(quotes) == 0
    shown = capsys.readouterr().out
    for part in ("ACME 2024-01-03", "in_the_money", "crossed", "put-call parity", "95% interval"):
        assert part in shown
    for name in PARAMETERS:
        assert name in shown
    assert "vol points" in shown


@pytest.mark.parametrize("weights", ["price", "vega", "bid_ask"])
def test_the_requested_weights_are_used(
    quotes: Path, capsys: pytest.CaptureFixture[str], weights: str
) -> None:
    assert fit(quotes, "--weights", weights, "--starts", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["parameters"]["sigma"] == pytest.approx(
        0.2, rel=2e-2
    )


def test_quotes_are_selected_by_maturity_moneyness_and_side(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    selection = ("--min-maturity", "0.4", "--max-moneyness", "1.1", "--sides", "all")
    assert fit(quotes, "--json", *selection) == 0
    residuals = json.loads(capsys.readouterr().out)["residuals"]
    assert all(q["maturity"] >= 0.4 for q in residuals)
    assert all(q["strike"] <= 1.1 * q["forward"] for q in residuals)
    assert {q["option_type"] for q in residuals} == {"call", "put"}


def test_several_dates_require_one(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(quotes)
    path = tmp_path / "two_days.csv"
    pd.concat([frame, frame.assign(quote_date="2024-01-02")]).to_csv(path, index=False)
    assert fit(path) == 2
    assert "--date" in capsys.readouterr().err
    assert fit(path, "--date", "2024-01-02", "--json") == 0
    assert json.loads(capsys.readouterr().out)["quote_date"] == "2024-01-02"


def test_the_cleaned_surface_is_written(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "clean.parquet"
    assert fit(quotes, "--surface", str(target), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert read_surface(target).size == document["fit_quality"]["n_quotes"]


def test_the_page_stands_alone_and_shows_the_fit(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "fit.html"
    assert fit(quotes, "--plot", str(page)) == 0
    assert "fit.html" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "<h1>VarianceGamma on ACME 2024-01-03</h1>" in text
    assert text.count('class="plotly-graph-div"') == 3
    assert "<script src=" not in text
    for part in ("σ (sigma)", "2024-04-03 (91 d)", "in the money", "RMSE, vol points"):
        assert part in text
    assert "$" not in text.split("<main>")[1].split("<script")[0]


def test_the_page_escapes_names_from_the_file(quotes: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(quotes).assign(underlying="<script>alert(1)</script>")
    frame.to_csv(tmp_path / "quotes.csv", index=False)
    page = tmp_path / "fit.html"
    assert fit(tmp_path / "quotes.csv", "--plot", str(page)) == 0
    assert "<script>alert" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("option", ["--plot", "--surface"])
def test_a_missing_folder_is_reported_before_the_fit(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    assert fit(quotes, option, str(tmp_path / "nowhere" / "fit.html")) == 2
    assert "folder does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the file is empty"),
        ("strike\n1\n", "columns are missing"),
        ("strike,option_type,maturity_years,mid\nx,C,1,1\n", "line 2, column strike"),
        ("strike,option_type,maturity_years,mid\n90,C,1,1\n", "none of the 1 quotes"),
    ],
)
def test_a_bad_file_is_explained_on_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, complaint: str
) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text(text)
    assert fit(path, "--json") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert complaint in captured.err


def test_a_missing_file_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(tmp_path / "absent.csv") == 2
    assert "absent.csv" in capsys.readouterr().err


def test_an_unknown_model_is_reported(quotes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", str(quotes), "--model", "Heston"]) == 2
    assert "unknown model 'Heston'" in capsys.readouterr().err


def test_one_fit_per_expiry_is_printed_as_json(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(quotes, "--per-maturity", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["parameters"] is None
    assert [round(365 * one["maturity"]) for one in document["per_maturity"]] == [91, 182, 365]
    for one in document["per_maturity"]:
        assert one["parameters"]["sigma"] == pytest.approx(0.2, rel=2e-2)
    assert len(document["residuals"]) == document["fit_quality"]["n_quotes"]


def test_one_fit_for_each_expiry_is_a_table_and_a_plot_of_the_term_structure(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "fit.html"
    assert fit(quotes, "--per-maturity", "--plot", str(page)) == 0
    shown = capsys.readouterr().out
    assert "VarianceGamma, fit of each expiry" in shown
    assert all(expiry in shown for expiry in ("2024-04-03", "2024-07-03", "2025-01-02"))
    text = page.read_text(encoding="utf-8")
    assert "Term structure of the parameters" in text
    assert text.count('class="plotly-graph-div"') == 4


def test_an_expiry_too_thin_for_a_fit_of_its_own_is_dropped(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(quotes)
    thin = frame[(frame["expiry"] != "2024-07-03") | frame["strike"].isin([95.0, 105.0])]
    thin.to_csv(tmp_path / "thin.csv", index=False)
    assert fit(tmp_path / "thin.csv", "--per-maturity", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["per_maturity"]) == 2
    assert document["cleaning"]["counts"]["too_few_at_maturity"] == 2


def test_a_model_with_a_term_structure_of_its_own_is_not_fitted_per_maturity(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", str(quotes), "--model", "NIGSato", "--per-maturity"]) == 2
    assert "term structure of its own" in capsys.readouterr().err


def test_a_fit_reports_errors_by_expiry_and_identifiability(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(quotes) == 0
    shown = capsys.readouterr().out
    for part in ("vol RMSE, points", "mean vol error", "variance", "skewness", "excess kurtosis"):
        assert part in shown


def test_warnings_about_quotes_are_in_the_document_and_in_the_text(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wrong_rate.csv"
    pd.read_csv(quotes).assign(rate=0.3, dividend_yield=0.0).to_csv(path, index=False)
    assert fit(path, "--json") == 0
    warnings = json.loads(capsys.readouterr().out)["warnings"]
    assert any("put-call parity contradicts the file" in warning for warning in warnings)
    assert fit(path) == 0
    assert "Put-call parity contradicts the file" in " ".join(capsys.readouterr().out.split())


def test_a_copied_day_is_reported(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(quotes)
    path = tmp_path / "two_days.csv"
    pd.concat([frame, frame.assign(quote_date="2024-01-04")]).to_csv(path, index=False)
    assert fit(path, "--date", "2024-01-04", "--json") == 0
    warnings = json.loads(capsys.readouterr().out)["warnings"]
    assert any("equal those of 2024-01-03: the day is a copy" in warning for warning in warnings)


def test_explain_lists_the_quotes_of_most_influence(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["calibrate", str(quotes), "--model", "vg", "--explain"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "Quotes of most influence" in shown
    assert main([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    influence = document["influence"]
    assert len(influence) == document["cleaning"]["n_kept"]
    assert sum(row["leverage"] for row in influence) == pytest.approx(3.0)
    cook = [row["cook_distance"] for row in influence]
    assert cook == sorted(cook, reverse=True)
    assert set(influence[0]["per_vol_point"]) == {"sigma", "nu", "theta"}


def test_a_fit_of_each_expiry_is_not_explained(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["calibrate", str(quotes), "--model", "vg", "--explain", "--per-maturity"]
    assert main(arguments) == 2
    assert "omit --per-maturity" in capsys.readouterr().err


@pytest.mark.long
def test_american_quotes_are_fitted_without_their_premium(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, spot = models.CGMY(C=0.3, G=5.0, M=12.0, Y=0.9), 100.0
    rows = []
    for is_call in (True, False):
        contracts = Contracts.grid(
            spot=spot,
            rate=0.05,
            dividend_yield=0.02,
            strikes=[80.0, 90.0, 95.0, 100.0, 105.0, 110.0, 120.0],
            maturities=[0.25, 1.0],
            is_call=is_call,
        )
        american = pricing.price(model, contracts, terms=Terms(exercise="american"), spot=spot)
        rows += [
            f"{years},{strike},{'C' if is_call else 'P'},{value:.6f}"
            for years, strike, value in zip(
                contracts.maturity_years, contracts.strike, american.value, strict=True
            )
        ]
    path = tmp_path / "american.csv"
    path.write_text("maturity_years,strike,option_type,mid\n" + "\n".join(rows) + "\n")
    arguments = ["calibrate", str(path), "--model", "CGMY", "--exercise", "american"]
    market = ["--spot", "100", "--rate", "0.05", "--dividend", "0.02"]
    page = tmp_path / "american.html"
    plotted = ["--forwards", "given", "--json", "--plot", str(page)]
    assert main([*arguments, *market, *plotted]) == 0
    assert "Early-exercise premium" in (text := page.read_text())
    assert "Exercise boundary" in text
    document = json.loads(capsys.readouterr().out)
    assert document["early_exercise"]["converged"]
    assert max(document["early_exercise"]["premium_vols"]) > 1e-3
    for name, value in model.as_mapping().items():
        assert document["parameters"][name] == pytest.approx(value, rel=0.02)
    premiums = document["early_exercise"]["premiums"]
    assert [row["early_exercise_premium"] for row in document["residuals"]] == premiums
    assert max(premiums) > 0.01
    assert any(text.startswith("American quotes") for text in document["warnings"])
    path.write_text(path.read_text().replace("\n", ",A\n").replace("mid,A", "mid,exercise_style"))
    declared = [name for name in arguments if name not in ("--exercise", "american")]
    assert main([*declared, *market, "--forwards", "given", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == document["parameters"]
    assert main(["compare", str(path), *market]) == 2
    assert "levy calibrate removes it" in capsys.readouterr().err
    assert main([*arguments, "--spot", "100"]) == 2
    assert "pass --rate" in capsys.readouterr().err
    assert main([*arguments, *market, "--per-maturity"]) == 2
    assert "omit --per-maturity" in capsys.readouterr().err
    arguments[3] = "NIGSato"
    assert main([*arguments, *market]) == 2
    assert "choose a Lévy model" in capsys.readouterr().err
