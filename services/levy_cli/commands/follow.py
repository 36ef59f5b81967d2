"""`levy follow`."""

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levy_cli.following import Walk, parameters_of
from levy_cli.following_many import follow_each, follow_one, underlyings_of
from levy_cli.output import console, print_json, refuse_unwritable, show_warnings, table, vol_points
from levy_cli.progress import progress
from levy_numerics import models
from levy_numerics.errors import InvalidInputError
from levy_surfaces.printable import printable
from levy_surfaces.quote_files import PARQUET_SUFFIXES
from levy_surfaces.synthetic.executors import (
    DaskExecutor,
    Executor,
    ProcessExecutor,
    SerialExecutor,
)

if TYPE_CHECKING:
    from rich.console import Console


def run(options: argparse.Namespace) -> int:
    """Follow the model through the days; print and write the path."""
    if options.each:
        return _run_each(options)
    if options.workers is not None or options.cluster is not None:
        raise InvalidInputError("--workers and --cluster require --each")
    refuse_unwritable(options.out, options.plot, inputs=[options.quotes])
    if options.out and not options.out.lower().endswith(PARQUET_SUFFIXES):
        raise InvalidInputError(f"{options.out}: paths are written as .parquet")
    with progress(f"Following {models.get(options.model).name}: days") as advance:
        walk = follow_one(options, options.out, advance)
    if options.plot:
        from levy_cli.reports.follow import write_follow_report

        write_follow_report(walk, options.plot)
    if options.json:
        print_json(walk.identity | {"days": walk.rows, "skipped": walk.skipped, **walk.summary})
    else:
        _show(walk, options)
    return 0


def _run_each(options: argparse.Namespace) -> int:
    """Follow each underlying of a folder; fail if none can be followed."""
    if not options.out or options.plot:
        raise InvalidInputError("--each writes a file for each underlying: give --out FOLDER alone")
    underlyings = underlyings_of(options.quotes)
    Path(options.out).mkdir(parents=True, exist_ok=True)
    model = models.get(options.model)
    n_workers = min(options.workers or os.cpu_count() or 1, len(underlyings))
    executor: Executor = ProcessExecutor(n_workers) if n_workers > 1 else SerialExecutor()
    if options.cluster is not None:
        executor = DaskExecutor(options.cluster, n_workers)
    started = time.perf_counter()
    with progress(f"Following {model.name}: underlyings") as advance:
        results = follow_each(options, underlyings, executor, advance)
    seconds = time.perf_counter() - started
    if options.json:
        print_json({"model": model.name, "underlyings": results, "seconds": seconds})
    else:
        _show_each(results, seconds, options)
    return int(all("failure" in result for result in results.values()))


def _show_each(
    results: dict[str, dict[str, Any]], seconds: float, options: argparse.Namespace
) -> None:
    out = console()
    listing = table(left=["underlying"], right=["days", "error", "predicted", "left out"])
    failures = [
        f"not followed: {name}: {r['failure']}" for name, r in results.items() if "failure" in r
    ]
    for name, result in results.items():
        if summary := result.get("summary"):
            listing.add_row(
                printable(name),
                f"{summary['n_days']}",
                vol_points(summary["rmse_vol"]),
                vol_points(summary["predicted_rmse_vol"]),
                f"{len(result['skipped'])}",
            )
    out.print(listing)
    show_warnings(out, failures)
    out.print(
        f"{len(results) - len(failures)} of {len(results)} underlyings in {seconds:.0f} s; median "
        f"errors in vol points. Paths are in {printable(options.out)}."
    )


def _show(walk: Walk, options: argparse.Namespace) -> None:
    out = console()
    if walk.n_before:
        out.print(f"{walk.n_before} days were followed before; {options.out} is continued.")
    _show_days(out, walk)
    show_warnings(out, walk.skipped)
    summary = walk.summary
    out.print(
        f"Median error on the day {vol_points(summary['rmse_vol'])} vol points, of the parameters "
        f"predicted for it {vol_points(summary['predicted_rmse_vol'])}; "
        f"{summary['n_evaluations']:g} evaluations a day."
    )
    for path, what in ((options.out, "Path"), (options.plot, "Report")):
        if path:
            out.print(f"{what} written to {printable(path)}")


def _show_days(out: "Console", walk: Walk) -> None:
    names = list(parameters_of(walk))
    listing = table(
        left=["day"],
        right=["quotes", "error", "predicted", *names],
        last=["status"],
        title=f"{walk.identity['model']} through time ({walk.identity['estimator']})",
    )
    for row in walk.rows:
        listing.add_row(
            printable(row["day"]),
            f"{row['n_quotes']:,}",
            vol_points(row["rmse_vol"]),
            vol_points(row["predicted_rmse_vol"]),
            *(f"{row[name]:.4g}" for name in names),
            row["status"].replace("_", " "),
        )
    out.print(listing)
