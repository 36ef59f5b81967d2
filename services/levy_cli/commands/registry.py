"""`levy registry`."""

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from levy_calibration.audit_log import read_entries
from levy_calibration.governance.card import CARD, ValidationReport, write_card
from levy_calibration.governance.gate import PACKAGED, Gate, Verdict
from levy_calibration.governance.logged_surfaces import logged_surfaces
from levy_calibration.governance.promotion import promote, records, roll_back
from levy_calibration.registry import Registry
from levy_calibration.registry.aliases import ALIASES
from levy_calibration.registry.artifact import Artifact
from levy_cli.networks import registry_at
from levy_cli.output import console, print_json, show_warnings, table
from levy_cli.progress import progress
from levy_numerics.errors import InvalidInputError


def run(options: argparse.Namespace) -> int:
    """List or show trained networks, or change which one is in use."""
    registry = registry_at(options.registry)
    for option, actions in _USES.items():
        if getattr(options, option) is not None and options.action not in actions:
            name = "a second version" if option == "challenger" else f"--{option}"
            raise InvalidInputError(f"{options.action} does not use {name}")
    return _ACTIONS[options.action](registry, options)


def _list(registry: Registry, options: argparse.Namespace) -> int:
    if options.version is not None:
        raise InvalidInputError("list has no version; use show")
    rows = [_row(registry, artifact) for artifact in registry.artifacts(options.model)]
    if options.json:
        print_json({"registry": str(registry.root), "networks": rows})
        return 0
    listing = table(
        left=["model", "version", "alias", "integrity"],
        right=["weights", "MB", "worst R²", "vol error, bp"],
    )
    for row in rows:
        listing.add_row(
            row["model"],
            row["version"],
            ", ".join(row["aliases"]),
            row["integrity"],
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
        "integrity": _integrity(artifact),
    }


def _integrity(artifact: Artifact) -> str:
    """Return whether the description of an artifact, with its metrics, is that of training."""
    if not artifact.covers_metrics:
        return "metrics not covered by the version"
    try:
        artifact.verify_description()
    except InvalidInputError:
        return "changed since training"
    return "as trained"


def _show(registry: Registry, options: argparse.Namespace) -> int:
    artifact = registry.artifact(*_model_and_version(options))
    artifact.verify()
    aliases = registry.aliases(artifact.model)
    document = {
        **artifact.manifest,
        "aliases": [name for name in ALIASES if aliases.version(name) == artifact.version],
        "history": [dict(change) for change in aliases.history],
        "promotions": records(registry, artifact.model),
        "card": str(artifact.folder / CARD) if (artifact.folder / CARD).is_file() else None,
    }
    if options.json:
        print_json(document)
        return 0
    out, manifest = console(), artifact.manifest
    covered = "files and metrics" if artifact.covers_metrics else "files, not of its metrics,"
    out.print(f"{artifact.version} for {artifact.model}; checksums of its {covered} are valid")
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
    gate = Gate.read(options.gate or PACKAGED)
    changed, verdict = promote(
        registry,
        *_model_and_version(options),
        gate=gate,
        alias=options.alias,
        override=options.override,
    )
    if not options.json:
        _show_verdict(gate, verdict)
    return _show_aliases(options, changed.champion, changed.challenger)


def _gate(registry: Registry, options: argparse.Namespace) -> int:
    """Judge a network without promoting it; the exit code is 1 if it fails."""
    gate = Gate.read(options.gate or PACKAGED)
    artifact = registry.artifact(*_model_and_version(options))
    verdict = gate.judge(artifact.load())
    if options.json:
        print_json({"model": artifact.model, "version": artifact.version, **verdict.as_mapping()})
    else:
        _show_verdict(gate, verdict)
    return 0 if verdict.is_passed else 1


def _card(registry: Registry, options: argparse.Namespace) -> int:
    artifact = registry.artifact(*_model_and_version(options))
    report = None if options.report is None else ValidationReport.read(options.report, artifact)
    path = write_card(artifact, Gate.read(options.gate or PACKAGED), report)
    if options.json:
        print_json({"model": artifact.model, "version": artifact.version, "card": str(path)})
    else:
        console().print(f"Written: {path}", soft_wrap=True)
    return 0


def _compare(registry: Registry, options: argparse.Namespace) -> int:
    """Compare two networks on logged surfaces."""
    from levy_calibration.governance.comparison import compare_networks
    from levy_cli.networks_compared import show_comparison

    model, version = _model_and_version(options)
    if options.challenger is None or options.log is None:
        raise InvalidInputError("compare requires two versions, --model and --log")
    champion = registry.artifact(model, version).load()
    challenger = registry.artifact(model, options.challenger).load()
    surfaces = logged_surfaces(read_entries(options.log), model)
    with progress(f"Comparing networks of {model}: surfaces") as advance:
        compared = compare_networks(
            champion, challenger, surfaces, lambda done, total: advance(done, total, "")
        )
    return show_comparison(compared, (champion.version, challenger.version), options.json)


def _retrain(registry: Registry, options: argparse.Namespace) -> int:
    """Train the champion further on logged surfaces, and promote the result if it passes."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from levy_calibration.training.retrain import Plan, retrain

    if options.model is None or options.log is None:
        raise InvalidInputError("retrain requires --model and --log")
    version = options.version or registry.aliases(options.model).champion
    if version is None:
        raise InvalidInputError(f"{options.model} has no champion; name a version")
    gate = Gate.read(options.gate or PACKAGED)
    surfaces = logged_surfaces(read_entries(options.log), options.model)
    fitted = [(s.quotes, model) for s in surfaces if (model := s.fitted) is not None]
    plan = Plan() if options.epochs is None else Plan(epochs=options.epochs)
    if options.rehearsal is not None:
        plan = replace(plan, rehearsal=options.rehearsal)
    with progress(f"Retraining {version}: epochs") as advance:
        retrained = retrain(
            registry.artifact(options.model, version),
            fitted,
            Path(options.data or "data"),
            plan,
            on_epoch=lambda done, total, _: advance(done, total, ""),
        )
    artifact = retrained.artifact
    console(stderr=True).print(
        f"{artifact.version} written to {artifact.folder}: {retrained.n_logged} logged surfaces, "
        f"{len(surfaces) - len(fitted)} did not converge, {retrained.n_outside} are outside of the "
        "training range",
        soft_wrap=True,
    )
    changed, verdict = promote(
        registry,
        options.model,
        artifact.version,
        gate=gate,
        alias=options.alias,
        override=options.override,
    )
    if not options.json:
        _show_verdict(gate, verdict)
    return _show_aliases(options, changed.champion, changed.challenger)


def _show_verdict(gate: Gate, verdict: Verdict) -> None:
    listing = table(left=["measure"], right=["value", "at least", "at most"])
    for name, value in verdict.figures.items():
        limits = gate.thresholds[name]
        ends = ("" if end is None else f"{end:g}" for end in (limits.min, limits.max))
        listing.add_row(name, f"{value:.4g}", *ends)
    console().print(listing)
    show_warnings(console(), verdict.failures)


def _rollback(registry: Registry, options: argparse.Namespace) -> int:
    if options.model is None:
        raise InvalidInputError("rollback requires --model (missing)")
    changed = roll_back(registry, options.model, alias=options.alias)
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
        raise InvalidInputError(f"{options.action} requires --model and a version")
    return options.model, options.version


_ACTIONS: Final[Mapping[str, Callable[[Registry, argparse.Namespace], int]]] = {
    "list": _list,
    "show": _show,
    "gate": _gate,
    "card": _card,
    "compare": _compare,
    "retrain": _retrain,
    "promote": _promote,
    "rollback": _rollback,
}
_USES: Final[Mapping[str, tuple[str, ...]]] = {
    "gate": ("gate", "promote", "card", "retrain"),
    "override": ("promote", "retrain"),
    "report": ("card",),
    "challenger": ("compare",),
    "log": ("compare", "retrain"),
    "data": ("retrain",),
    "epochs": ("retrain",),
    "rehearsal": ("retrain",),
}
"""Actions that use an option."""
