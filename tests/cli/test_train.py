"""`levy train` writes a network, learning curves and an alias; `levy registry` lists them."""

import json
from pathlib import Path

import pytest

from levy_cli.main import main
from levy_surfaces.synthetic.generation import generate
from levy_surfaces.synthetic.manifest import Plan

MODEL = "VarianceGamma"
RECIPE = "network: {network}\noptions: {options}\nepochs: 3\nbatch_size: 64\nrounds: 1\n"
OPTIONS = {"mlp": "{widths: [16]}", "cnn": "{channels: [4], widths: [16]}"}

OVERRIDE = ("--override", "a test")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate data, write recipes and train."""
    folder = tmp_path_factory.mktemp("training")
    generate(Plan(MODEL, 300), folder / "data")
    (folder / "recipes").mkdir()
    for network, options in OPTIONS.items():
        recipe = RECIPE.format(network=network, options=options)
        (folder / "recipes" / f"{network}.yaml").write_text(recipe)
    return folder


def train(root: Path, network: str, *more: str) -> int:
    folders = {name: str(root / name) for name in ("data", "recipes", "runs", "registry")}
    named = [word for name, folder in folders.items() for word in (f"--{name}", folder)]
    return main(["train", "--model", MODEL, "--network", network, *named, *more])


def registry(root: Path, action: str, *more: str) -> int:
    return main(["registry", action, *more, "--registry", str(root / "registry"), "--json"])


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture(scope="module")
def trained(root: Path) -> Path:
    """Train a champion and a challenger, which fail the gate after three epochs."""
    assert train(root, "mlp", *OVERRIDE) == 0
    assert train(root, "cnn", "--promote", "challenger", *OVERRIDE) == 0
    return root


def test_learning_curves_lie_beside_the_checkpoint_as_json_and_as_a_page(trained: Path) -> None:
    run = trained / "runs" / f"{MODEL}-mlp"
    assert {path.name for path in run.iterdir()} == {
        "checkpoint.npz",
        "curves.json",
        "curves.html",
    }
    history = json.loads((run / "curves.json").read_text())
    assert [set(epoch) >= {"score", "holdout_score", "learning_rate"} for epoch in history] == (
        [True] * 3
    )
    page = (run / "curves.html").read_text()
    assert MODEL in page
    assert "holdout_score" in page


def test_the_first_network_is_champion_and_others_what_they_are_promoted_to(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert registry(trained, "list", "--model", MODEL) == 0
    listed = printed(capsys)["networks"]
    assert isinstance(listed, list)
    assert {each["network"]: each["aliases"] for each in listed} == {
        "mlp": ["champion"],
        "cnn": ["challenger"],
    }


def test_a_run_that_is_done_changes_nothing_when_it_is_resumed(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (trained / "registry" / MODEL / "aliases.json").read_text()
    assert train(trained, "mlp", "--resume", "--promote", "--json") == 0
    assert len(printed(capsys)["history"]) == 3  # type: ignore[arg-type]
    assert (trained / "registry" / MODEL / "aliases.json").read_text() == before


def test_a_network_that_fails_the_gate_is_written_but_not_promoted(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = ("--registry", str(tmp_path))
    assert train(root, "mlp", *elsewhere) == 0
    assert "mlp-" in capsys.readouterr().out
    assert not (tmp_path / MODEL / "aliases.json").exists()
    assert train(root, "mlp", "--promote", *elsewhere) == 2
    assert "worst_r2 = " in capsys.readouterr().err
    assert not (tmp_path / MODEL / "aliases.json").exists()


def test_a_promotion_is_shown_and_undone(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert registry(trained, "promote", "cnn", "--model", MODEL, *OVERRIDE) == 0
    assert str(printed(capsys)["champion"]).startswith("cnn-")
    assert registry(trained, "rollback", "--model", MODEL) == 0
    assert str(printed(capsys)["champion"]).startswith("mlp-")
    assert registry(trained, "show", "mlp", "--model", MODEL) == 0
    entry = printed(capsys)
    assert entry["aliases"] == ["champion"]
    assert entry["recipe"]["epochs"] == 3  # type: ignore[index]


def test_the_recipes_that_are_installed_are_used_outside_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--model", MODEL, "--network", "transformer"]) == 2
    assert "available recipes: cnn, ensemble, mlp, resnet, set" in capsys.readouterr().err
    assert main(["train", "--model", MODEL, "--network", "mlp", "--data", "absent"]) == 2
    assert "absent" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("network", "more", "said"),
    [
        ("transformer", (), "recipes: cnn, mlp"),
        ("mlp", ("--data", "absent"), "absent"),
        ("mlp", ("--from", "set-0123456789"), "set-0123456789"),
    ],
)
def test_what_cannot_be_trained_is_rejected_in_one_line(
    network: str,
    more: tuple[str, ...],
    said: str,
    trained: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert train(trained, network, *more) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err
