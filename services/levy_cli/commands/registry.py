"""`levy registry`."""

import argparse
from typing import Any

from levy_calibration.registry import Registry
from levy_calibration.registry.aliases import ALIASES
from levy_calibration.registry.artifact import Artifact
from levy_cli.output import console, print_json, table
from levy_cli.trained import networks
from levy_numerics.errors import InvalidInputError


def run(options: argparse.Namespace) -> int:
    """List or show trained networks, or change which of them answers."""
    registry = networks(options.registry)
    return {"list": _list, "show": _show, "promote": _promote, "rollback": _rollback}[
        options.action
    ](registry, options)


def _list(registry: Registry, options: argparse.Namespace) -> int:
    rows = [_row(registry, artifact) for artifact in registry.artifacts(options.model)]
    if options.json:
        print_json({"registry": str(registry.root), "networks": rows})
        return 0
    shown = table(
        left=["model", "version", "alias"], right=["weights", "MB", "worst R²", "vol error, bp"]
    )
    for row in rows:
        shown.add_row(
            row["model"],
            row["version"],
            ", ".join(row["aliases"]),
            f"{row['n_weights']:,}",
            f"{row['bytes'] / 1e6:.1f}",
            f"{row['worst_r2']:.4f}",
            f"{row['vol_bp']:.2f}",
        )
    console().print(shown if rows else "No networks are trained.")
    return 0


def _row(registry: Registry, artifact: Artifact) -> dict[str, Any]:
    told, aliases = artifact.manifest, registry.aliases(artifact.model)
    return {
        "model": artifact.model,
        "version": artifact.version,
        "network": artifact.network,
        "aliases": [name for name in ALIASES if aliases.version(name) == artifact.version],
        "n_weights": told["n_weights"],
        "bytes": artifact.size_bytes,
        "worst_r2": min(each["r2"] for each in told["metrics"]["errors"].values()),
        "vol_bp": told["metrics"]["vol_bp"],
    }


def _show(registry: Registry, options: argparse.Namespace) -> int:
    artifact = _named(registry, options)
    artifact.verify()
    aliases = registry.aliases(artifact.model)
    document = {
        **artifact.manifest,
        "aliases": [name for name in ALIASES if aliases.version(name) == artifact.version],
        "history": [dict(change) for change in aliases.history],
    }
    if options.json:
        print_json(document)
        return 0
    out, told = console(), artifact.manifest
    out.print(f"{artifact.version} for {artifact.model}; files are as trained")
    out.print(
        f"{told['n_weights']:,} weights, reads {told['reads']}, trained on {told['backend']} "
        f"({told['device']}), seed {told['seed']}"
    )
    shown = table(left=["quantity"], right=["R²", "MAE", "RMSE", "median relative"])
    for name, each in told["metrics"]["errors"].items():
        shown.add_row(
            name,
            f"{each['r2']:.5f}",
            f"{each['mae']:.2g}",
            f"{each['rmse']:.2g}",
            f"{each['median_relative']:.2%}",
        )
    out.print(shown)
    return 0


def _promote(registry: Registry, options: argparse.Namespace) -> int:
    changed = registry.promote(*_required(options), alias=options.alias)
    return _told(options, changed.champion, changed.challenger)


def _rollback(registry: Registry, options: argparse.Namespace) -> int:
    if options.model is None:
        raise InvalidInputError("levy registry rollback needs --model")
    changed = registry.rollback(options.model, alias=options.alias)
    return _told(options, changed.champion, changed.challenger)


def _told(options: argparse.Namespace, champion: str | None, challenger: str | None) -> int:
    if options.json:
        print_json({"model": options.model, "champion": champion, "challenger": challenger})
    else:
        console().print(
            f"{options.model}: champion {champion or 'none'}, challenger {challenger or 'none'}"
        )
    return 0


def _named(registry: Registry, options: argparse.Namespace) -> Artifact:
    return registry.artifact(*_required(options))


def _required(options: argparse.Namespace) -> tuple[str, str]:
    if options.model is None or options.version is None:
        raise InvalidInputError(f"levy registry {options.action} needs --model and a version")
    return options.model, options.version
