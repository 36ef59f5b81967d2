import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from levy_cli.commands.bayes import note_of
from levy_cli.main import main
from levy_numerics import models, pricing
from levy_numerics.market import Contracts
from levy_schemas.jobs import BayesianResult, Diagnostics
from tests.cli.conftest import PARAMETERS

jax = pytest.importorskip("jax")
pytest.importorskip("numpyro")
xarray = pytest.importorskip("xarray")

SMALL = ("--engine", "laplace-psis", "--chains", "2", "--samples", "500")


@pytest.fixture(autouse=True)
def doubles() -> Iterator[None]:
    # The command switches them on, for the whole process.
    before = jax.config.jax_enable_x64
    yield
    jax.config.update("jax_enable_x64", before)


def bayes(quotes: Path, *more: str, model: str = "VarianceGamma") -> int:
    return main(["bayes", str(quotes), "--model", model, *more])


def test_json_is_one_document_that_reads_as_a_job_s_result(
    quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bayes(quotes, *SMALL, "--json") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    document = json.loads(captured.out)
    result = BayesianResult.model_validate({k: v for k, v in document.items() if k != "dropped"})
    assert result.draws == 1000
    for name, value in PARAMETERS.items():
        assert result.parameters[name].mean == pytest.approx(value, rel=0.01)
    assert document["cleaning"]["counts"]["crossed"] == 1


def test_the_table_lists_all_parameters_and_draws_are_stored(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "posterior.nc"
    assert bayes(quotes, *SMALL, "--out", str(kept)) == 0
    shown = capsys.readouterr().out
    for part in ("VarianceGamma by laplace-psis", "95% interval", "theta", "noise", "Pareto k"):
        assert part in shown
    with xarray.open_dataset(kept, group="posterior", engine="h5netcdf") as posterior:
        assert posterior["nu"].shape == (1, 1000)


def test_a_page_shows_bands_marginals_chains_and_pairs(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "posterior.html"
    assert bayes(quotes, *SMALL, "--plot", str(page)) == 0
    assert str(page) in capsys.readouterr().out.replace("\n", "")
    text = page.read_text(encoding="utf-8")
    for part in (
        "Posterior of VarianceGamma on ACME",
        "laplace-psis",
        "of quotes within their 95%",
    ):
        assert part in text
    # One figure each of smiles, marginals and pairs; rank plots require chains.
    assert text.count('class="plotly-graph-div"') == 3
    assert "<h2>Ranks</h2>" not in text


@pytest.fixture
def options(tmp_path: Path) -> Path:
    path = tmp_path / "options.csv"
    path.write_text("expiry,strike,option_type\n2024-04-03,97.5,C\n2025-01-02,82,P\n")
    return path


def test_options_that_are_not_quoted_are_predicted(
    quotes: Path, options: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "posterior.html"
    predict = ("--weights", "price", "--predict", str(options))
    assert bayes(quotes, *SMALL, *predict, "--plot", str(page), "--json") == 0
    call, put = json.loads(capsys.readouterr().out)["predicted"]
    contracts = Contracts.of(
        maturity_years=[91 / 365, 1.0],
        strike=[97.5, 82.0],
        forward=100.0 * np.exp(0.02 * np.array([91 / 365, 1.0])),
        discount=np.exp(-0.03 * np.array([91 / 365, 1.0])),
        is_call=[True, False],
    )
    exact = pricing.price(models.from_mapping("VarianceGamma", PARAMETERS), contracts).value
    for one, price in zip((call, put), exact, strict=True):
        assert one["median"] == pytest.approx(price, rel=2e-3)
        assert one["interval"][0] < one["median"] < one["interval"][1]
        assert one["quote_interval"][0] < one["interval"][0]
        assert one["implied_vol_interval"][0] < one["implied_vol"] < one["implied_vol_interval"][1]
    text = page.read_text(encoding="utf-8")
    assert "<h2>Predictions</h2>" in text
    assert "put 82, 1.0000 years" in text
    assert bayes(quotes, *SMALL, *predict) == 0
    assert "call 97.5, 0.2493 years" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2024-05-03,100,C", "row 2: no forward is known at 0.3315 years"),
        ("2024-04-03,-1,C", "must be positive"),
        ("2024-04-03,100,X", "neither C nor P"),
        ("", "contains no options"),
    ],
)
def test_options_that_cannot_be_predicted_are_reported(
    quotes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, said: str
) -> None:
    path = tmp_path / "options.csv"
    path.write_text(f"expiry,strike,option_type\n{line}\n")
    assert bayes(quotes, *SMALL, "--predict", str(path)) == 2
    assert said in capsys.readouterr().err


def test_the_progress_line_shows_diagnostics() -> None:
    seen = Diagnostics(draws=400, r_hat=1.0213, divergences=2, acceptance_rate=0.87, step_size=0.61)
    assert note_of(seen) == "400 draws, R-hat 1.0213, 2 diverged, acceptance 0.87, step 0.61"
    assert note_of(Diagnostics(elbo=-12.5)) == "ELBO -12.50"
    assert note_of(None) == ""


@pytest.fixture
def noisy_quotes(quotes: Path, tmp_path: Path) -> Path:
    frame = pd.read_csv(quotes)
    errors = 1.0 + 5e-4 * np.random.default_rng(3).standard_normal(len(frame))
    path = tmp_path / "noisy.csv"
    frame.assign(bid=frame["bid"] * errors, ask=frame["ask"] * errors).to_csv(path, index=False)
    return path


def test_priors_of_ones_own_move_the_posterior(
    noisy_quotes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    priors = {"nu": {"distribution": "normal", "mu": 0.31, "sigma": 1e-5}}
    own = ("--priors", json.dumps(priors), "--likelihood", "normal")
    assert bayes(noisy_quotes, *SMALL, "--json", *own) == 0
    nu = json.loads(capsys.readouterr().out)["parameters"]["nu"]
    assert nu["mean"] == pytest.approx(0.31, abs=1e-3)
    assert nu["sd"] < 2e-5


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--engine", "crystal-ball"), "numpyro-nuts"),
        (("--samples", "99"), "--samples must be at least 100"),
        (("--out", "/no/such/folder/x.nc"), "folder does not exist"),
        (("--plot", "/no/such/folder/x.html"), "folder does not exist"),
        (("--priors", "{"), "--priors is not valid JSON"),
        (
            ("--priors", '{"nu": {"distribution": "normal", "mu": 0, "mu": 1, "sigma": 1}}'),
            '--priors/nu/mu: the key "mu" occurs twice',
        ),
        (("--priors", '{"nu": {"distribution": "cauchy"}}'), "--priors nu.distribution"),
        (("--priors", '{"mu": {"distribution": "normal", "mu": 0, "sigma": 1}}'), "mu"),
    ],
)
def test_misuse_is_reported(
    quotes: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], said: str
) -> None:
    assert bayes(quotes, *more) == 2
    assert said in capsys.readouterr().err
