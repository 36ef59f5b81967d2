"""Publishing of trained networks in a registry."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from levy_calibration.registry import Registry
from levy_calibration.registry.artifact import MANIFEST
from levy_calibration.training.publish import TrainingContext, cross_validate, publish
from levy_calibration.training.recipe import Recipe
from levy_numerics.errors import InvalidInputError, LevyError
from levy_surfaces.synthetic.datasets import DataSet, holdout
from levy_surfaces.synthetic.manifest import file_hash

MODEL = "VarianceGamma"
SURFACES = 600


def published(context: TrainingContext, network: str, **options: object) -> Registry:
    publish(context, MODEL, context.recipe(MODEL, network), **options)
    return Registry.open(context.registry)


@pytest.mark.parametrize(
    ("network", "layouts"), [("mlp", ("grid",)), ("set", ("grid", "scattered"))]
)
def test_a_published_artifact_has_its_provenance_and_can_be_evaluated(
    network: str, layouts: tuple[str, ...], context: TrainingContext
) -> None:
    recipe = context.recipe(MODEL, network)
    artifact, history = publish(context, MODEL, recipe)
    manifest = artifact.manifest
    assert len(history) == recipe.epochs
    assert {path.name for path in artifact.folder.iterdir()} == {MANIFEST, *artifact.files}
    assert manifest["sha256"] == {
        name: file_hash(artifact.folder / name) for name in artifact.files
    }
    assert (
        manifest["recipe"]
        == Registry.open(context.registry).artifact(MODEL, network).manifest["recipe"]
    )
    assert (manifest["model"], manifest["network"], manifest["seed"]) == (
        MODEL,
        network,
        recipe.seed,
    )
    assert manifest["data_hash"] == {
        layout: DataSet.open(context.data, MODEL, layout=layout).manifest.data_hash
        for layout in layouts
    }
    assert manifest["metrics"]["n"] == SURFACES // 5
    expected = {"sigma", "nu", "theta", "variance", "skewness", "kurtosis"}
    assert set(manifest["metrics"]["errors"]) == expected
    loaded = artifact.load()
    assert loaded.reference is not None
    part = next(DataSet.open(context.data, MODEL).parts())
    answers = loaded.output(part.surfaces.select(slice(5)))
    assert answers.unit_parameters.shape == (5, 3)
    assert np.all((answers.unit_parameters > 0.0) & (answers.unit_parameters < 1.0))
    assert np.all(np.isfinite(answers.log_deviations))


@pytest.mark.long
def test_a_run_that_is_done_lands_as_the_same_version_again(context: TrainingContext) -> None:
    first, _ = publish(context, MODEL, context.recipe(MODEL, "mlp"))
    again, history = publish(context, MODEL, context.recipe(MODEL, "mlp"), resume=True)
    assert len(history) == 2
    assert again.manifest == first.manifest
    assert [each.version for each in Registry.open(context.registry).artifacts()] == [first.version]


@pytest.mark.long
def test_an_ensemble_uses_its_trained_members_and_is_evaluated_on_surfaces_unseen_by_all(
    context: TrainingContext,
) -> None:
    for name in ("mlp", "resnet"):
        published(context, name)
    before = {path: path.stat().st_mtime_ns for path in context.runs.rglob("checkpoint.npz")}
    artifact, history = publish(context, MODEL, context.recipe(MODEL, "ensemble"), resume=True)
    assert history == []
    assert before == {
        path: path.stat().st_mtime_ns for path in context.runs.rglob("checkpoint.npz")
    }
    held = [set(holdout(SURFACES, 0.2, seed=seed)[1]) for seed in (1, 3)]
    assert artifact.manifest["metrics"]["n"] == len(held[0] & held[1]) > 0
    registry = Registry.open(context.registry)
    part = next(DataSet.open(context.data, MODEL).parts()).surfaces.select(slice(7))
    names = ("mlp", "resnet", "ensemble")
    one, other, joint = (registry.artifact(MODEL, name).load().output(part) for name in names)
    np.testing.assert_allclose(
        joint.unit_parameters, 0.5 * (one.unit_parameters + other.unit_parameters), atol=1e-5
    )


@pytest.mark.long
def test_training_continues_from_a_published_network(context: TrainingContext) -> None:
    start = published(context, "mlp").artifact(MODEL, "mlp")
    others = replace(context, runs=context.runs / "again")
    recipe = Recipe.of(context.recipe(MODEL, "mlp").as_mapping() | {"epochs": 1})
    artifact, history = publish(others, MODEL, recipe, start=start)
    fresh, _ = publish(replace(others, runs=context.runs / "fresh"), MODEL, recipe)
    assert artifact.manifest["started_from"] == start.version
    assert fresh.manifest["started_from"] is None
    assert len({start.version, artifact.version, fresh.version}) == 3
    first = publish(context, MODEL, context.recipe(MODEL, "mlp"), resume=True)[1][0]
    assert history[0]["holdout_score"] < first["holdout_score"]


def test_a_recipe_for_one_model_goes_before_the_general_one(
    context: TrainingContext, tmp_path: Path
) -> None:
    recipes = shutil.copytree(context.recipes, tmp_path / "recipes")
    (recipes / MODEL).mkdir()
    (recipes / MODEL / "mlp.yaml").write_text("network: mlp\nseed: 77\n")
    ours = replace(context, recipes=recipes)
    assert ours.recipe(MODEL, "mlp").seed == 77
    assert ours.recipe("NIG", "mlp").seed == 1


@pytest.mark.long
def test_folds_are_judged_apart_and_leave_nothing(context: TrainingContext) -> None:
    found = cross_validate(context, MODEL, context.recipe(MODEL, "mlp"), 3)
    assert [fold["n"] for fold in found] == [SURFACES // 3] * 3
    assert not context.registry.exists()


def no_data(context: TrainingContext) -> None:
    publish(context, "NIG", context.recipe("NIG", "mlp"))


def no_recipe(context: TrainingContext) -> None:
    context.recipe(MODEL, "transformer")


def spoiled_data(context: TrainingContext) -> None:
    data = Path(shutil.copytree(context.data, context.runs / "spoiled"))
    part = next(data.rglob("layout=grid/**/part-00000.parquet"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    publish(replace(context, data=data), MODEL, context.recipe(MODEL, "mlp"))


def ensemble_from_a_start(context: TrainingContext) -> None:
    start = published(replace(context, registry=context.runs / "other"), "mlp").artifact(
        MODEL, "mlp"
    )
    publish(context, MODEL, context.recipe(MODEL, "ensemble"), start=start)


def start_of_another_kind(context: TrainingContext) -> None:
    start = published(replace(context, registry=context.runs / "other"), "mlp").artifact(
        MODEL, "mlp"
    )
    publish(context, MODEL, context.recipe(MODEL, "cnn"), start=start)


def folds_of_an_ensemble(context: TrainingContext) -> None:
    cross_validate(context, MODEL, context.recipe(MODEL, "ensemble"), 3)


@pytest.mark.parametrize(
    ("publication", "message"),
    [
        (no_data, "NIG"),
        (no_recipe, r"cnn, ensemble, mlp, resnet, set"),
        (spoiled_data, "part-00000"),
        (ensemble_from_a_start, "members"),
        (start_of_another_kind, "is of network mlp"),
        (folds_of_an_ensemble, "members"),
    ],
)
def test_what_cannot_be_published_is_rejected_and_leaves_nothing(
    publication: Callable[[TrainingContext], None], message: str, context: TrainingContext
) -> None:
    with pytest.raises(LevyError, match=message) as refused:
        publication(context)
    assert isinstance(refused.value, InvalidInputError)
    assert not context.registry.exists()
