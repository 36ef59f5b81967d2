"""`levy registry`."""

import argparse
from typing import Any

from levy_calibration.registry import Registry
from levy_calibration.registry.aliases import ALIASES
from levy_calibration.registry.artifact import Artifact
from levy_cli.networks import registry_at
from levy_cli.output import console, print_json, table
from levy_numerics.errors import InvalidInputError


def run(options: argparse.Namespace) -> int:
    """List or show trained networks, or change which one is in use."""
    registry = registry_at(options.registry)
    return {"list": _list, "show": _show, "promote": _promote, "rollback": _rollback}[
        options.action
    ](registry, options)


def _list(registry: Registry, options: argparse.Namespace) -> int:
    if options.version is not None:
        raise InvalidInputError("levy registry list has no version; use levy registry show")
    rows = [_row(registry, artifact) for artifact in registry.artifacts(options.model)]
    if options.json:
        print_json({"registry": str(registry.root), "networks": rows})
        return 0
    listing = table(
        left=["model", "version", "alias"], right=["weights", "MB", "worst R²", "vol error, bp"]
    )
    for row in rows:
        listing.add_row(
            row["model"],
            row["version"],
            ", ".join(row["aliases"]),
            f"{row['n_weights']:,}",
            f"{row['bytes'] / 1e6:.1f}",
            f"{row['worst_r2']:.4f}",
            f"{row['vol_bp']:.2f}",
        )
    console().print(listing if rows else "No trained networks.")
    return 0


def _row(registry: Registry, artifact: Artifact) -> dict[str, Any]:
    manifest, aliases = artifact.manifest, registry.aliases(artifact.model)
    return {
        "model": artifact.model,
        "version": artifact.version,
        "network": artifact.network,
        "aliases": [name for name in ALIASES if aliases.version(name) == artifact.version],
        "n_weights": manifest["n_weights"],
        "bytes": artifact.size_bytes,
        "worst_r2": min(error["r2"] for error in manifest["metrics"]["errors"].values()),
        "vol_bp": manifest["metrics"]["vol_bp"],
    }


def _show(registry: Registry, options: argparse.Namespace) -> int:
    artifact = registry.artifact(*_model_and_version(options))
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
    out, manifest = console(), artifact.manifest
    out.print(f"{artifact.version} for {artifact.model}; checksums of its files are valid")
    out.print(
        f"{manifest['n_weights']:,} weights, input {manifest['reads']}, trained on "
        f"{manifest['backend']} "
        f"({manifest['device']}), seed {manifest['seed']}"
    )
    listing = table(left=["quantity"], right=["R²", "MAE", "RMSE", "median relative"])
    for name, error in manifest["metrics"]["errors"].items():
        listing.add_row(
            name,
            f"{error['r2']:.5f}",
            f"{error['mae']:.2g}",
            f"{error['rmse']:.2g}",
            f"{error['median_relative']:.2%}",
        )
    out.print(listing)
    return 0


def _promote(registry: Registry, options: argparse.Namespace) -> int:
    changed = registry.promote(*_model_and_version(options), alias=options.alias)
    return _show_aliases(options, changed.champion, changed.challenger)


def _rollback(registry: Registry, options: argparse.Namespace) -> int:
    if options.model is None:
        raise InvalidInputError("levy registry rollback requires --model (missing)")
    changed = registry.rollback(options.model, alias=options.alias)
    return _show_aliases(options, changed.champion, changed.challenger)


def _show_aliases(options: argparse.Namespace, champion: str | None, challenger: str | None) -> int:
    if options.json:
        print_json({"model": options.model, "champion": champion, "challenger": challenger})
    else:
        console().print(
            f"{options.model}: champion {champion or 'none'}, challenger {challenger or 'none'}"
        )
    return 0


def _model_and_version(options: argparse.Namespace) -> tuple[str, str]:
    if options.model is None or options.version is None:
        raise InvalidInputError(f"levy registry {options.action} requires --model and a version")
    return options.model, options.version
