"""`levy models`."""

import argparse

from levy_cli.output import print_json
from levy_observability.version import engine_version
from levy_pricing.handlers.catalogue import catalogue
from levy_schemas.catalogue import CatalogueEntry, ModelsResult


def run(options: argparse.Namespace) -> int:
    """List the models."""
    entries = catalogue(engine_version()).catalogue
    if options.json:
        # No network has been trained, so none reads prices.
        names = tuple(entry.name for entry in entries)
        print_json(ModelsResult(models=names, input_dimensions={}, catalogue=entries))
    else:
        _show(entries)
    return 0


def _show(entries: tuple[CatalogueEntry, ...]) -> None:
    from levy_cli.output import console, table

    out = console()
    for entry in entries:
        shown = table(
            left=["parameter", "symbol", "condition", "unit"],
            right=["default"],
            last=["meaning"],
            title=entry.name,
        )
        for p in entry.parameters:
            default = "" if p.default is None else f"{p.default:g}"
            shown.add_row(p.name, p.symbol, p.domain, p.unit, default, p.meaning)
        out.print(shown)
