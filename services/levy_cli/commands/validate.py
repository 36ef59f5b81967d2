"""`levy validate`."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from levy_cli.daily_surfaces import DailySurfaces
from levy_cli.networks import champion
from levy_cli.output import console, print_json, refuse_unwritable, show_warnings, table
from levy_cli.progress import progress
from levy_numerics import models
from levy_service import engine_version
from levy_surfaces.atomic_files import write_atomically
from levy_surfaces.printable import printable
from levy_validation import Analysis, Report, Setting, all_analyses, get, validate
from levy_validation.setting import FULL, QUICK

if TYPE_CHECKING:
    from rich.console import Console

HTML: Final = "validation.html"
DOCUMENT: Final = "validation.json"
_ALL: Final = ("all", "quick")


def run(options: argparse.Namespace) -> int:
    """Run the analyses; write the report and the document."""
    selected = _selected(options.suite)
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    refuse_unwritable(str(folder / HTML), str(folder / DOCUMENT), inputs=[options.quotes])
    effort = QUICK if options.suite == "quick" else FULL
    if options.days is not None:
        effort = replace(effort, n_days=options.days)
    daily = DailySurfaces.of(options, effort.n_days)
    networks = () if options.no_network else champion(options.model)
    setting = Setting(
        model=models.get(options.model),
        surfaces=daily.surfaces,
        network=next(iter(networks), None),
        effort=effort,
        seed=options.seed,
    )
    with progress(f"Validating {options.model}: analyses") as advance:
        report = validate(setting, selected, advance)
    document = {
        "engine_version": engine_version(),
        "suite": options.suite,
        "skipped": list(daily.skipped),
        **report.as_document(),
    }
    text = json.dumps(document, allow_nan=False, ensure_ascii=False, indent=1)
    write_atomically(folder / DOCUMENT, text.encode())
    from levy_cli.reports.validation import write_validation_report

    write_validation_report(report, daily.skipped, folder / HTML)
    if options.json:
        print_json(document)
    else:
        _show(report, daily.skipped, folder)
    return 0


def _selected(suite: str) -> Sequence[Analysis]:
    """Return the analyses of `all`, `quick`, or a list of names."""
    if suite in _ALL:
        return all_analyses()
    return [get(name.strip()) for name in suite.split(",")]


def _show(report: Report, skipped: Sequence[str], folder: Path) -> None:
    out = console()
    for completed in report.completed:
        title = f"{completed.analysis.title} ({completed.seconds:.1f} s)"
        if completed.section is None:
            show_warnings(out, [f"{title}: not made: {completed.reason}"])
            continue
        _show_figures(out, title, completed.section.as_document()["figures"])
        show_warnings(out, completed.section.findings)
    show_warnings(out, skipped)
    for name in (HTML, DOCUMENT):
        out.print(f"Written: {printable(str(folder / name))}", soft_wrap=True)


def _show_figures(out: "Console", title: str, figures: dict[str, object]) -> None:
    listing = table(left=["figure"], right=["value"], title=title)
    for name, value in figures.items():
        listing.add_row(name, _text(value))
    out.print(listing)


def _text(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
