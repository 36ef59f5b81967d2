"""`levy dataset`."""

import argparse
import os
import time
from pathlib import Path

from levy_cli.cleaned import CleanedQuotes
from levy_cli.output import console, print_json, show_warnings
from levy_cli.progress import progress
from levy_cli.quote_options import stated
from levy_numerics.errors import InvalidInputError
from levy_surfaces.printable import printable
from levy_surfaces.surface import keep_surface
from levy_surfaces.synthetic.executors import (
    DaskExecutor,
    Executor,
    ProcessExecutor,
    SerialExecutor,
)
from levy_surfaces.synthetic.generation import generate
from levy_surfaces.synthetic.manifest import Plan


def run(options: argparse.Namespace) -> int:
    """Generate or continue a data set, or clean real quotes and add them."""
    if (options.model is None) == (options.quotes is None):
        raise InvalidInputError(
            "give either --model, to generate surfaces, or --quotes, to add real ones"
        )
    if options.model is not None and (given := stated(options)):
        raise InvalidInputError(f"{given[0]} selects quotes; it requires --quotes")
    return _add(options) if options.quotes else _generate(options)


def _generate(options: argparse.Namespace) -> int:
    plan = Plan(options.model, options.size, seed=options.seed, layout=options.layout)
    plan.check()
    started = time.perf_counter()
    with progress(f"Generating {plan.model}: surfaces") as advance:
        manifest = generate(
            plan,
            options.out,
            features=options.features,
            executor=_executor(plan, options),
            progress=advance,
        )
    folder = plan.folder(options.out)
    n_bytes = sum((folder / name).stat().st_size for name in manifest.files)
    document = {
        "model": plan.model,
        "size": plan.size,
        "seed": plan.seed,
        "layout": plan.layout,
        "folder": str(folder),
        "files": len(manifest.files),
        "bytes": n_bytes,
        "data_hash": manifest.data_hash,
        "seconds": time.perf_counter() - started,
    }
    if options.json:
        print_json(document)
    else:
        console().print(
            f"{plan.size:,} surfaces of {plan.model} in {folder}: {len(manifest.files)} files, "
            f"{n_bytes / 1e6:.1f} MB, {document['seconds']:.1f} s\n"
            f"data hash {manifest.data_hash}",
            soft_wrap=True,
        )
    return 0


def _executor(plan: Plan, options: argparse.Namespace) -> Executor:
    n_workers = options.workers or os.cpu_count() or 1
    if options.cluster:
        return DaskExecutor(options.cluster, n_workers)
    return ProcessExecutor(n_workers) if min(n_workers, plan.n_chunks) > 1 else SerialExecutor()


def _add(options: argparse.Namespace) -> int:
    quotes = CleanedQuotes.of(options)
    Path(options.out).mkdir(parents=True, exist_ok=True)
    path = keep_surface(quotes.surface, options.out)
    warnings = quotes.surface.warnings
    if options.json:
        print_json({"file": str(path), "warnings": warnings, **quotes.as_document()})
    else:
        out = console()
        quotes.show(out)
        show_warnings(out, warnings)
        out.print(f"Written to {printable(str(path))}", soft_wrap=True)
    return 0
