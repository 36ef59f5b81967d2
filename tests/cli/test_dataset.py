import json
from pathlib import Path

import pytest

from levy_cli.main import main
from levy_numerics.surface import Surface
from levy_surfaces.surface import kept_surfaces
from levy_surfaces.synthetic.datasets import DataSet
from levy_surfaces.synthetic.processed import read_processed

Captured = pytest.CaptureFixture[str]


def _levy(*arguments: object) -> int:
    return main(["dataset", *map(str, arguments)])


def test_a_data_set_is_generated_reported_and_extended(tmp_path: Path, capsys: Captured) -> None:
    options = ("--model", "VarianceGamma", "--size", 20, "--seed", 3, "--features")
    assert _levy(*options, "--out", tmp_path, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    made = DataSet.open(tmp_path, "VarianceGamma", seed=3)
    assert report["size"] == made.size == 20
    assert report["data_hash"] == made.manifest.data_hash
    assert read_processed(tmp_path, "VarianceGamma", seed=3)[0].shape == (20, 200)
    assert _levy(*options, "--out", tmp_path) == 0
    shown = capsys.readouterr().out
    assert "20 surfaces of VarianceGamma" in shown
    assert made.manifest.data_hash in shown


def test_real_quotes_are_cleaned_and_kept(quotes: Path, tmp_path: Path, capsys: Captured) -> None:
    assert _levy("--quotes", quotes, "--out", tmp_path, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["cleaning"]["counts"]["crossed"] == 1
    [surface] = kept_surfaces(tmp_path)
    assert isinstance(surface, Surface)
    assert surface.size == report["cleaning"]["n_kept"]
    assert Path(report["file"]).name == "date=2024-01-03.parquet"
    assert _levy("--quotes", quotes, "--out", tmp_path) == 0
    assert "Written to" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "either --model"),
        (("--model", "NIG", "--quotes", "x.csv"), "either --model"),
        (("--model", "Heston"), "Heston"),
        (("--model", "BlackScholes"), "declares no training range"),
        (("--model", "NIG", "--date", "2024-01-03"), "--date selects quotes; it requires --quotes"),
        (("--model", "NIG", "--max-maturity", "2"), "--max-maturity selects quotes"),
        (("--model", "NIG", "--sides", "all"), "--sides selects quotes; it requires --quotes"),
    ],
)
def test_misuse_is_reported(
    arguments: tuple[object, ...], complaint: str, tmp_path: Path, capsys: Captured
) -> None:
    assert _levy(*arguments, "--out", tmp_path) == 2
    assert complaint in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
