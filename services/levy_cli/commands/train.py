"""`levy train`."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from levy_calibration.registry.aliases import ALIASES
from levy_cli.output import console, print_json, table
from levy_cli.training_progress import training_progress
from levy_numerics.errors import InvalidInputError
from levy_surfaces.atomic_files import write_atomically

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def run(options: argparse.Namespace) -> int:
    """Train a network and put it into the registry, or cross-validate its recipe."""
    # Keras takes seconds to import: only those who train pay.
    from levy_calibration.registry import PACKAGED
    from levy_calibration.training.publish import Workshop
    from levy_calibration.training.recipe import Recipe

    shop = Workshop(
        data=Path(options.data),
        recipes=Path(options.recipes),
        runs=Path(options.runs),
        registry=Path(options.registry or PACKAGED),
    )
    recipe = (
        Recipe.read(options.recipe)
        if options.recipe
        else shop.recipe(options.model, options.network)
    )
    if recipe.network != options.network:
        raise InvalidInputError(f"{options.recipe} makes a {recipe.network}")
    if options.folds:
        return _cross_validate(shop, recipe, options)
    return _train(shop, recipe, options)


def _train(shop: Any, recipe: Any, options: argparse.Namespace) -> int:
    from levy_calibration.registry import Registry
    from levy_calibration.training.distribution import strategy_of
    from levy_calibration.training.publish import publish

    start = None
    if options.start:
        model, _, version = options.start.rpartition("/")
        start = Registry.open(shop.registry).artifact(model or options.model, version)
    with training_progress(f"{options.model} {recipe.network}") as told:
        artifact, history = publish(
            shop,
            options.model,
            recipe,
            resume=options.resume,
            start=start,
            strategy=strategy_of(options.strategy),
            told=told,
        )
    _promote(Registry.open(shop.registry), artifact, options.promote)
    page = _write_curves(shop, options.model, recipe.network, history)
    if options.json:
        print_json({**artifact.manifest, "folder": str(artifact.folder), "history": history})
        return 0
    _show(artifact.manifest["metrics"])
    console().print(f"{artifact.version} is in {artifact.folder}", soft_wrap=True)
    if page:
        console().print(f"Learning curves are in {page}", soft_wrap=True)
    return 0


def _promote(registry: Any, artifact: Any, asked: str | None) -> None:
    """Give it the alias that was asked for, if any; a model's first network is its champion."""
    held = registry.aliases(artifact.model)
    first = "champion" if held.champion is None else None
    for alias in ALIASES:
        if alias in (asked, first) and held.version(alias) != artifact.version:
            registry.promote(artifact.model, artifact.version, alias=alias)


def _cross_validate(shop: Any, recipe: Any, options: argparse.Namespace) -> int:
    from levy_calibration.training.publish import cross_validated

    with training_progress(f"{options.model} {recipe.network}, {options.folds} folds") as told:
        found = cross_validated(shop, options.model, recipe, options.folds, told)
    if options.json:
        print_json({"model": options.model, "network": recipe.network, "folds": found})
        return 0
    shown = table(left=["quantity"], right=["R², mean", "± deviation", "median relative"])
    for name in found[0]["errors"]:
        r2 = [fold["errors"][name]["r2"] for fold in found]
        relative = [fold["errors"][name]["median_relative"] for fold in found]
        shown.add_row(name, f"{np.mean(r2):.5f}", f"{np.std(r2):.5f}", f"{np.mean(relative):.2%}")
    console().print(shown)
    return 0


def _show(metrics: dict[str, Any]) -> None:
    shown = table(left=["quantity"], right=["R²", "MAE", "RMSE", "median relative"])
    for name, each in metrics["errors"].items():
        shown.add_row(
            name,
            f"{each['r2']:.5f}",
            f"{each['mae']:.2g}",
            f"{each['rmse']:.2g}",
            f"{each['median_relative']:.2%}",
        )
    console().print(shown)
    console().print(
        f"On {metrics['n']:,} exact surfaces that were held out: volatilities off by "
        f"{metrics['vol_bp']:.2f} bp, prices by {metrics['price_bp']:.3f} bp of the forward."
    )


def _write_curves(
    shop: Any, model: str, network: str, history: list[dict[str, float]]
) -> Path | None:
    """Learning curves as JSON and as a page; none for an ensemble."""
    if not history:
        return None
    from plotly.graph_objects import Figure

    folder = shop.run_folder(model, network)
    write_atomically(folder / "curves.json", json.dumps(history, indent=1).encode())
    figure = Figure()
    epochs = list(range(1, len(history) + 1))
    for name in ("score", "holdout_score"):
        figure.add_scatter(x=epochs, y=[each[name] for each in history], name=name)
    figure.update_layout(
        title=f"{model}, {network}: −log likelihood, or squared error",
        xaxis_title="epoch",
        template="plotly_white",
    )
    page = Path(folder, "curves.html")
    write_atomically(page, figure.to_html(include_plotlyjs=True).encode())
    return page
