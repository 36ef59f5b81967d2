"""Check the default pricer's stated errors: `make check-prices`, or `--help` for the options.

Random options over the whole domain of every model are priced by the engine and by an independent
reference implementation, the referee. Writes `build/check-prices.json`; the exit code is 1 if a
stated error is too small.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from levy_numerics import models
from tests.check_prices.comparison import Tally, check_cases
from tests.check_prices.domain import STRIKES_PER_CASE
from tests.check_prices.page import write_table

RESULT: Final = Path("build/check-prices.json")
OPTIONS: Final = 20_000
_CASES_PER_TASK: Final = 20
_SHOWN: Final = 5
_COLUMNS: Final = {
    "options": "options",
    "sets rejected": "sets_refused",
    "with forward": "refused_with_forward",
    "crashes": "crashes",
    "priced": "priced",
    "largest error": "largest_error",
    "true/stated": "largest_ratio",
    "violations": "violations",
    "silent > 1e-9": "silent_only",
    "stated > 1e-9": "stated_large",
    "undecided": "undecided",
    "no forward": "no_forward_priced",
}


def main() -> int:
    """Run the checks, print the table and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=models.names(), default=models.names())
    parser.add_argument("--options", type=int, default=OPTIONS, help="per model")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=RESULT, help="JSON with the worst cases")
    parser.add_argument("--page", type=Path, help="Markdown page whose table is replaced")
    arguments = parser.parse_args()
    n_cases = max(1, arguments.options // STRIKES_PER_CASE)
    tallies = run(arguments.models, n_cases, arguments.seed, arguments.workers)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    found = {name: tally.as_dict() for name, tally in tallies.items()}
    document = {"seed": arguments.seed, "options": arguments.options, "models": found}
    arguments.out.write_text(json.dumps(document, indent=1, allow_nan=False), encoding="utf-8")
    if arguments.page:
        write_table(arguments.page, tallies, arguments.seed)
    _print(tallies)
    return int(any(tally.failed for tally in tallies.values()))


def run(names: list[str], n_cases: int, seed: int, workers: int) -> dict[str, Tally]:
    """Return the tally of each model, its cases spread over worker processes."""
    tasks = [
        (name, range(first, min(first + _CASES_PER_TASK, n_cases)))
        for first in range(0, n_cases, _CASES_PER_TASK)
        for name in names
    ]
    tallies = {name: Tally() for name in names}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        bar = progress.add_task("parameter sets", total=n_cases * len(names))
        for name, cases, tally in _results(tasks, seed, workers):
            tallies[name].add(tally)
            progress.advance(bar, len(cases))
    return tallies


def _results(
    tasks: list[tuple[str, range]], seed: int, workers: int
) -> Iterator[tuple[str, range, Tally]]:
    if workers == 1:
        for name, cases in tasks:
            yield name, cases, check_cases(name, cases, seed)
        return
    with ProcessPoolExecutor(workers) as pool:
        futures = {
            pool.submit(check_cases, name, cases, seed): (name, cases) for name, cases in tasks
        }
        for future in as_completed(futures):
            name, cases = futures[future]
            yield name, cases, future.result()


def _print(tallies: Mapping[str, Tally]) -> None:
    console = Console(width=180)
    table = Table("model", *_COLUMNS, title="The default pricer compared with the referee")
    for name, tally in tallies.items():
        values = (getattr(tally, attribute) for attribute in _COLUMNS.values())
        shown = (f"{v:.1e}" if isinstance(v, float) else f"{v}" for v in values)
        table.add_row(name, *shown)
    console.print(table)
    for tally in tallies.values():
        for case in tally.worst[:_SHOWN]:
            console.print(json.dumps(case, ensure_ascii=False), soft_wrap=True, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
