"""`levy train`."""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from levy_calibration.registry.aliases import ALIASES
from levy_cli.output import console, print_json, show_warnings, table
from levy_cli.progress import Advance, progress
from levy_numerics.errors import InvalidInputError
from levy_surfaces.atomic_files import write_atomically

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def run(options: argparse.Namespace) -> int:
    """Train a network and register it, or cross-validate its recipe."""
    # Imported here: Keras takes seconds.
    from levy_calibration import registry
    from levy_calibration.training import recipe as recipes
    from levy_calibration.training.publish import TrainingContext

    context = TrainingContext(
        data=Path(options.data),
        recipes=Path(options.recipes or recipes.PACKAGED),
        runs=Path(options.runs),
        registry=Path(options.registry or registry.PACKAGED),
    )
    recipe = (
        recipes.Recipe.read(options.recipe)
        if options.recipe
        else context.recipe(options.model, options.network)
    )
    if recipe.network != options.network:
        raise InvalidInputError(
            f"{options.recipe} is a recipe of network {recipe.network}, not {options.network}"
        )
    if context.registry.is_dir() and not os.access(context.registry, os.W_OK):
        raise InvalidInputError(f"{context.registry} is not writable; name another with --registry")
    if options.folds:
        return _cross_validate(context, recipe, options)
    return _train(context, recipe, options)


def _train(context: Any, recipe: Any, options: argparse.Namespace) -> int:
    from levy_calibration.registry import Registry
    from levy_calibration.training.distribution import strategy_of
    from levy_calibration.training.publish import publish

    start = None
    if options.start:
        model, _, version = options.start.rpartition("/")
        start = Registry.open(context.registry).artifact(model or options.model, version)
    with progress(f"{options.model} {recipe.network}: epochs") as advance:
        artifact, history = publish(
            context,
            options.model,
            recipe,
            resume=options.resume,
            start=start,
            strategy=strategy_of(options.strategy),
            on_epoch=_on_epoch(advance),
        )
    page = _write_curves(context, options.model, recipe.network, history)
    if options.json:
        print_json({**artifact.manifest, "folder": str(artifact.folder), "history": history})
    else:
        _show(artifact.manifest["metrics"])
        console().print(f"{artifact.version} written to {artifact.folder}", soft_wrap=True)
        if page:
            console().print(f"Learning curves written to {page}", soft_wrap=True)
    _promote(Registry.open(context.registry), artifact, options)
    return 0


def _promote(registry: Any, artifact: Any, options: argparse.Namespace) -> None:
    """Set the requested alias; a model's first network that passes the gate becomes its champion.

    Raises
    ------
    GateRefusedError
        An alias was requested, and the network fails the gate.
    """
    from levy_calibration.governance.gate import PACKAGED, Gate
    from levy_calibration.governance.promotion import GateRefusedError, promote

    aliases = registry.aliases(artifact.model)
    requested = options.promote
    first = "champion" if aliases.champion is None else None
    for alias in ALIASES:
        if alias in (requested, first) and aliases.version(alias) != artifact.version:
            try:
                promote(
                    registry,
                    artifact.model,
                    artifact.version,
                    gate=Gate.read(options.gate or PACKAGED),
                    alias=alias,
                    override=options.override,
                )
            except GateRefusedError as refused:
                if alias == requested:
                    raise
                show_warnings(console(stderr=True), [refused.message])


def _on_epoch(advance: Advance) -> Callable[[int, int, dict[str, float]], None]:
    """Return the callback that shows the scores of each epoch."""

    def on_epoch(done: int, total: int, epoch: dict[str, float]) -> None:
        advance(done, total, f"{epoch['score']:.3f}, held out {epoch['holdout_score']:.3f}")

    return on_epoch


def _cross_validate(context: Any, recipe: Any, options: argparse.Namespace) -> int:
    from levy_calibration.training.publish import cross_validate

    with progress(f"{options.model} {recipe.network}, {options.folds} folds: epochs") as advance:
        folds = cross_validate(context, options.model, recipe, options.folds, _on_epoch(advance))
    if options.json:
        print_json({"model": options.model, "network": recipe.network, "folds": folds})
        return 0
    listing = table(left=["quantity"], right=["R², mean", "± deviation", "median relative"])
    for name in folds[0]["errors"]:
        r2 = [fold["errors"][name]["r2"] for fold in folds]
        relative = [fold["errors"][name]["median_relative"] for fold in folds]
        listing.add_row(name, f"{np.mean(r2):.5f}", f"{np.std(r2):.5f}", f"{np.mean(relative):.2%}")
    console().print(listing)
    return 0


def _show(metrics: dict[str, Any]) -> None:
    listing = table(left=["quantity"], right=["R²", "MAE", "RMSE", "median relative"])
    for name, error in metrics["errors"].items():
        listing.add_row(
            name,
            f"{error['r2']:.5f}",
            f"{error['mae']:.2g}",
            f"{error['rmse']:.2g}",
            f"{error['median_relative']:.2%}",
        )
    console().print(listing)
    console().print(
        f"Mean errors on {metrics['n']:,} surfaces of the holdout: volatilities "
        f"{metrics['vol_bp']:.2f} bp, prices {metrics['price_bp']:.3f} bp of the forward."
    )


def _write_curves(
    context: Any, model: str, network: str, history: list[dict[str, float]]
) -> Path | None:
    """Write learning curves as JSON and HTML; return the page, None for an ensemble."""
    if not history:
        return None
    from plotly.graph_objects import Figure

    folder = context.run_folder(model, network)
    write_atomically(folder / "curves.json", json.dumps(history, indent=1).encode())
    figure = Figure()
    epochs = list(range(1, len(history) + 1))
    for name in ("score", "holdout_score"):
        figure.add_scatter(x=epochs, y=[epoch[name] for epoch in history], name=name)
    figure.update_layout(
        title=f"{model}, {network}: negative log-likelihood, or squared error",
        xaxis_title="epoch",
        template="plotly_white",
    )
    page = Path(folder, "curves.html")
    write_atomically(page, figure.to_html(include_plotlyjs=True).encode())
    return page
