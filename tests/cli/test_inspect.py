"""`levy inspect`, `levy convert` and `levy sample`."""

import json
from pathlib import Path

import pandas as pd
import pytest

from levy_cli.main import main
from levy_surfaces.reading import read_quotes
from levy_surfaces.sample import SAMPLE_PARAMETERS, sample_chain

LAYOUTS = Path(__file__).parents[1] / "surfaces" / "layouts"


def flat(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_inspect_shows_format_columns_expiries_and_forwards(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "quotes.html"
    path = LAYOUTS / "optionmetrics.csv"
    assert main(["inspect", str(path), "--plot", str(page)]) == 0
    shown = flat(capsys)
    assert "Format: OptionMetrics; European (assumed)" in shown
    assert "strike strike_price price, multiplied by 0.001" in shown
    assert "XYZ 2026-03-16: using 297 of 615 quotes" in shown
    assert "in_the_money" in shown
    assert "2026-04-17 XYZ 0.0877" in shown
    assert "Forwards by put-call parity." in shown
    html = page.read_text(encoding="utf-8")
    assert "multiplied by 0.001" in html
    assert "Smiles" in html


def test_inspect_as_json_has_the_reading(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(LAYOUTS / "deribit_book_summary.csv"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["reading"]["format"] == "Deribit book summary"
    assert document["reading"]["currency"] == "BTC, the underlying (inverse options)"
    assert {"name": "bid", "source": "bid_price", "unit": "price"} in document["reading"]["columns"]
    assert any("multiplied by the forward" in warning for warning in document["warnings"])


def test_inspect_shows_the_last_of_several_dates(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "days.csv"
    chain = sample_chain()
    pd.concat([chain, chain.assign(quote_date="2026-03-17")]).to_csv(path, index=False)
    assert main(["inspect", str(path)]) == 0
    shown = flat(capsys)
    assert "2 values of quote_date; 2026-03-17 is shown (--date chooses another)" in shown
    assert "the day is a copy" in shown


def test_a_fit_begins_with_how_the_file_was_read(capsys: pytest.CaptureFixture[str]) -> None:
    path = LAYOUTS / "wide_chain.csv"
    assert main(["calibrate", str(path), "--model", "NIG", "--date", "2026-03-16"]) == 0
    shown = flat(capsys)
    assert shown.startswith("Format: calls and puts on one row; European (assumed)")
    assert "bid of calls = Call Bid" in shown


def test_options_state_what_a_file_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(LAYOUTS / "calls_only_with_spot.csv")
    assert main(["inspect", path]) == 2
    assert "--rate and --dividend" in capsys.readouterr().err
    assert main(["inspect", path, "--rate", "2.5%", "--dividend", "0.019"]) == 0
    shown = flat(capsys)
    assert "rate option: 0.025" in shown
    assert "Forwards by spot, rate and dividend yield." in shown


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--columns", "strike"], "is not a comma-separated list of NAME=VALUE"),
        (["--scale", "strike=x"], "is not a comma-separated list of NAME=VALUE"),
        (["--rate", "nowhere.csv"], "is neither a number nor a file that exists"),
        (["--spot", "much"], "is not a number"),
    ],
)
def test_misused_options_are_one_line(
    options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["inspect", "quotes.csv", *options])
    assert complaint in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "out.csv.gz"])
@pytest.mark.parametrize("layout", ["optionmetrics", "deribit_book_summary", "cboe_delayed"])
def test_a_converted_file_reads_the_same(
    layout: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / name
    assert main(["convert", str(LAYOUTS / f"{layout}.csv"), str(out)]) == 0
    assert "quotes written to" in capsys.readouterr().out
    expected, read = read_quotes(LAYOUTS / f"{layout}.csv"), read_quotes(out)
    columns = ["strike", "is_call", "maturity_years", "bid", "ask", "mid", "series", "root"]
    pd.testing.assert_frame_equal(read.frame[columns], expected.frame[columns], rtol=1e-14)
    assert (read.quote_date, read.spot) == (expected.quote_date, expected.spot)


def test_convert_writes_every_date(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "days.csv", tmp_path / "days.parquet"
    chain = sample_chain()
    pd.concat([chain, chain.assign(quote_date="2026-03-17")]).to_csv(path, index=False)
    assert main(["convert", str(path), str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["quote_dates"] == ["2026-03-16", "2026-03-17"]
    assert document["n_quotes"] == 2 * len(chain)
    second = read_quotes(out, quote_date="2026-03-17")
    assert second.frame["maturity_years"].min() == pytest.approx(31 / 365)


def test_outputs_are_checked_before_reading(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", "absent.csv", str(tmp_path / "out.txt")]) == 2
    assert "are written as .csv, .csv.gz or .parquet" in capsys.readouterr().err
    assert main(["inspect", "absent.csv", "--plot", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err


def test_the_sample_chain_has_its_parameters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "chain.csv"
    assert main(["sample", str(path)]) == 0
    assert "615 synthetic quotes" in capsys.readouterr().out
    assert main(["calibrate", str(path), "--model", "NIGSato", "--json"]) == 0
    fitted = json.loads(capsys.readouterr().out)["parameters"]
    for name, value in SAMPLE_PARAMETERS.items():
        assert fitted[name] == pytest.approx(value, rel=5e-3)
