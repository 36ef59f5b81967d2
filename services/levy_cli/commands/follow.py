"""`levy follow`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from levy_cli.daily_surfaces import days_of
from levy_cli.following import Walk, follow, parameters_of
from levy_cli.output import console, print_json, refuse_unwritable, show_warnings, table, vol_points
from levy_cli.progress import progress
from levy_numerics import models
from levy_numerics.errors import InvalidInputError
from levy_numerics.sequential import follower_of
from levy_surfaces.printable import printable
from levy_surfaces.quote_files import PARQUET_SUFFIXES

if TYPE_CHECKING:
    from rich.console import Console


def run(options: argparse.Namespace) -> int:
    """Follow the model through the days; print and write the path."""
    refuse_unwritable(options.out, options.plot, inputs=[options.quotes])
    if options.out and not options.out.lower().endswith(PARQUET_SUFFIXES):
        raise InvalidInputError(f"{options.out}: paths are written as .parquet")
    model = models.get(options.model)
    follower = follower_of(options.estimator, model, options.weights)
    identity = {"model": model.name, "estimator": options.estimator, "weights": options.weights}
    if options.out and options.restart:
        Path(options.out).unlink(missing_ok=True)
    walk = Walk.resumed(options.out, identity) if options.out else Walk(identity)
    n_before = len(walk.rows)
    days = sorted(days_of(options), key=lambda day: day.name)
    with progress(f"Following {model.name}: days") as advance:
        follow(walk, follower, days, out=options.out, progress=advance)
    if not walk.rows:
        reason = f": {walk.skipped[0]}" if walk.skipped else ""
        raise InvalidInputError(f"{options.quotes} contains no day that can be fitted{reason}")
    if options.plot:
        from levy_cli.reports.follow import write_follow_report

        write_follow_report(walk, options.plot)
    if options.json:
        print_json(identity | {"days": walk.rows, "skipped": walk.skipped, **walk.summary})
    else:
        _show(walk, n_before, options)
    return 0


def _show(walk: Walk, n_before: int, options: argparse.Namespace) -> None:
    out = console()
    if n_before:
        out.print(f"{n_before} days were followed before; {options.out} is continued.")
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
