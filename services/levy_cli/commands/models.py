"""`levy models`."""

import argparse
from contextlib import suppress

from levy_calibration.registry import Registry
from levy_cli.networks import registry_at
from levy_cli.output import print_json
from levy_numerics.errors import LevyError
from levy_pricing.handlers.catalogue import catalogue
from levy_schemas.catalogue import CatalogueEntry, ModelsResult
from levy_schemas.networks import ServedNetwork
from levy_service import engine_version


def run(options: argparse.Namespace) -> int:
    """Print the models."""
    result = ModelsResult.of(catalogue(engine_version()), _champions(registry_at()))
    if options.json:
        print_json(result)
    else:
        _show(result.catalogue)
    return 0


def _champions(registry: Registry) -> dict[str, ServedNetwork]:
    """Return the champion of each model, from the manifests, without loading networks."""
    champions = {}
    for model in registry.models():
        with suppress(LevyError):  # an invalid champion is not used
            version = registry.aliases(model).champion
            if version is not None:
                reads = registry.artifact(model, version).manifest["reads"]
                champions[model] = ServedNetwork.of(version, reads)
    return champions


def _show(entries: tuple[CatalogueEntry, ...]) -> None:
    from levy_cli.output import console, table

    out = console()
    for entry in entries:
        listing = table(
            left=["parameter", "symbol", "condition", "unit"],
            right=["default"],
            last=["meaning"],
            title=_title(entry),
        )
        for p in entry.parameters:
            default = "" if p.default is None else f"{p.default:g}"
            listing.add_row(p.name, p.symbol, p.domain, p.unit, default, p.meaning)
        out.print(listing)


def _title(entry: CatalogueEntry) -> str:
    aliases = f", or {', '.join(entry.aliases)}" if entry.aliases else ""
    network = f" (network {entry.version})" if entry.trained else ""
    return f"{entry.name}{aliases}{network}"
