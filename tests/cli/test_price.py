import json
from pathlib import Path

import pytest

from levy_cli.main import main
from levy_schemas.pricing import PriceResult

ARGUMENTS = [
    *("price", "--model", "VarianceGamma", "--spot", "100", "--rate", "0.1"),
    *("--params", '{"sigma": 0.12, "nu": 0.2, "theta": -0.14}'),
    *("--strikes", "90,100,110", "--maturities", "0.25,1"),
]


def replaced(option: str, value: str) -> list[str]:
    arguments = list(ARGUMENTS)
    arguments[arguments.index(option) + 1] = value
    return arguments


def test_json_is_one_document_and_a_valid_response_of_the_service(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*ARGUMENTS, "--json"]) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert captured.err == ""
    assert captured.out.count("\n") == 1
    result = PriceResult.model_validate(document)
    assert [len(row) for row in result.prices] == [3, 3]
    assert "request_id" not in document
    assert result.greeks is None


def test_the_price_of_madan_carr_and_chang_is_in_the_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(ARGUMENTS) == 0
    shown = capsys.readouterr().out
    assert "implied vol" in shown
    assert "19.09935" in shown  # strike 90, one year: Fang and Oosterlee (2008), table 7


def test_an_option_without_implied_volatility_shows_a_dash(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["price", "--model", "BlackScholes", "--params", '{"sigma": 0.2}', "--spot", "100"]
    assert main([*arguments, "--strikes", "50,100", "--maturities", "0.00273"]) == 0
    shown = capsys.readouterr().out
    assert "–" in shown
    assert "20.0000%" in shown
    assert "1 of 2 options have no implied volatility" in shown


def test_greeks_are_shown_for_every_parameter(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ARGUMENTS, "--greeks"]) == 0
    shown = capsys.readouterr().out
    for name in ("delta", "gamma", "vega", "theta", "rho", "∂/∂sigma", "∂/∂nu", "∂/∂theta"):
        assert name in shown
    assert main([*ARGUMENTS, "--greeks", "--json"]) == 0
    greeks = json.loads(capsys.readouterr().out)["greeks"]
    assert set(greeks["parameters"]) == {"sigma", "nu", "theta"}


def test_tenors_ranges_and_an_alias_give_the_same_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*ARGUMENTS, "--json"]) == 0
    expected = json.loads(capsys.readouterr().out)
    arguments = replaced("--strikes", "90:110:10")
    arguments[arguments.index("--maturities") + 1] = "3M,1Y"
    arguments[arguments.index("--model") + 1] = "vg"
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == expected
    assert expected["model_type"] == "VarianceGamma"


def test_put_prices_satisfy_parity(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*replaced("--strikes", "100"), "--json"]
    prices = []
    for kind in ("call", "put"):
        assert main([*arguments, "--type", kind]) == 0
        prices.append(json.loads(capsys.readouterr().out)["prices"][1][0])
    assert prices[0] - prices[1] == pytest.approx(100 - 100 * 0.904837418036, rel=1e-9)


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--model", "VarianceGama", "choose one of"),
        (
            "--params",
            '{"sigma": 0.12, "nu": 0.2}',
            "VarianceGamma requires parameter theta (missing)",
        ),
        ("--params", '{"sigma": -0.12, "nu": 0.2, "theta": 0}', "sigma > 0"),
        ("--params", '{"sigma": "x", "nu": 0.2, "theta": 0}', "--params sigma"),
        ("--params", "{sigma: 1}", "--params is not valid JSON"),
        ("--params", "[1]", "not a JSON object"),
        ("--params", '{"sigma": 1, "sigma": 2}', 'the key "sigma" occurs twice'),
        ("--params", "[" * 10_000, "--params is not valid JSON"),
        ("--params", '{"sigma": NaN, "nu": 0.2, "theta": 0}', "--params sigma"),
        ("--strikes", "90,-1", "--strikes 1"),
        ("--maturities", "1,60", "--maturities 1"),
        ("--spot", "0", "--spot"),
    ],
)
def test_misuse_is_explained_on_standard_error_with_exit_2(
    capsys: pytest.CaptureFixture[str], option: str, value: str, complaint: str
) -> None:
    assert main([*replaced(option, value), "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert complaint in captured.err


@pytest.mark.parametrize(
    "arguments",
    [
        replaced("--strikes", "90;100"),
        replaced("--spot", "much"),
        ["price"],
        ["fly"],
        [*ARGUMENTS, "--type", "straddle"],
    ],
)
def test_arguments_that_cannot_be_read_exit_with_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "levy" in capsys.readouterr().err


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "calibrate" in capsys.readouterr().err


def test_an_unknown_method_is_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ARGUMENTS, "--method", "guess"]) == 2
    assert "--method" in capsys.readouterr().err


def test_an_american_put_is_printed_with_its_premium(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["price", "--model", "CGMY", "--params", '{"C": 1, "G": 5, "M": 5, "Y": 0.5}']
    arguments += ["--spot", "1", "--rate", "0.1", "--strikes", "1", "--maturities", "1"]
    arguments += ["--type", "put", "--exercise", "american"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "American puts by conv" in shown
    assert "0.112152" in shown  # Fang and Oosterlee (2009), Table 5
    assert "premium" in shown


def test_the_page_of_american_prices_shows_premiums_and_the_boundary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "american.html"
    arguments = ["price", "--model", "BlackScholes", "--params", '{"sigma": 0.2}']
    arguments += ["--spot", "100", "--rate", "0.05", "--strikes", "90,100", "--maturities", "0.5"]
    arguments += ["--type", "put", "--plot", str(page)]
    assert main([*arguments, "--exercise", "american"]) == 0
    assert str(page) in capsys.readouterr().out.replace("\n", "")
    text = page.read_text()
    assert "BlackScholes American puts" in text
    assert "time to maturity, years" in text
    assert main(arguments) == 2
    assert "--plot shows early exercise" in capsys.readouterr().err


def test_barriers_are_read_with_their_dates(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["price", "--model", "BlackScholes", "--params", '{"sigma": 0.3}']
    arguments += ["--spot", "100", "--rate", "0.1", "--strikes", "100", "--maturities", "0.2"]
    arguments += ["--barrier", "down-and-out:91", "--barrier-dates", "0.004:0.2:0.004", "--json"]
    assert main(arguments) == 0
    # Broadie, Glasserman and Kou (1997), Table 1: 5.977.
    assert json.loads(capsys.readouterr().out)["prices"][0][0] == pytest.approx(5.977, abs=6e-4)
    assert main([*arguments[:-5], "--barrier-dates", "0.1"]) == 2
    assert "--barrier-dates require --barrier" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*arguments[:-5], "--barrier", "sideways:91"])
    assert "kinds are up-and-out" in capsys.readouterr().err


def test_cash_dividends_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["price", "--model", "BlackScholes", "--params", '{"sigma": 0.3}', "--json"]
    arguments += ["--spot", "100", "--rate", "0.05", "--strikes", "100", "--maturities", "1"]
    assert main([*arguments, "--cash-dividends", "3M:2,0.75:2"]) == 0
    result = json.loads(capsys.readouterr().out)
    # Between the price of a stock without dividends and that of one without their present value.
    assert 11.8 < result["prices"][0][0] < 14.23
    assert result["method"] == "pide"
    with pytest.raises(SystemExit):
        main([*arguments, "--cash-dividends", "2"])
    assert "times and amounts" in capsys.readouterr().err
    assert main([*arguments, "--cash-dividends", "0.5:120"]) == 2
    assert "not below the spot" in capsys.readouterr().err
