"""`levy replay`."""

import argparse
from typing import Any

from levy_calibration.audit_log import read_entries
from levy_calibration.handlers.replay import Replay, replay
from levy_cli.networks import registry_at
from levy_cli.output import console, print_json, show_warnings, table
from levy_cli.progress import progress
from levy_numerics.errors import InvalidInputError
from levy_service import engine_version
from levy_surfaces.printable import printable

_SHOWN = 10
"""Differences of one answer in the table; --json prints all."""


def run(options: argparse.Namespace) -> int:
    """Compute logged calibrations again; the exit code is 1 if an answer is not reproduced."""
    entries = [e for e in read_entries(options.log) if options.id in (None, e.id)]
    if not entries:
        raise InvalidInputError(
            f"{options.log} contains no calibration"
            + ("" if options.id is None else f" with the id {options.id}")
        )
    registry, version = registry_at(options.registry), engine_version()
    replays = []
    with progress("Replaying: calibrations") as advance:
        for done, entry in enumerate(entries):
            advance(done, len(entries), entry.id)
            replays.append(replay(entry, registry, version))
        advance(len(entries), len(entries), "")
    if options.json:
        print_json({"replays": [_document(each) for each in replays]})
    else:
        _show(replays)
    return 0 if all(each.is_equal for each in replays) else 1


def _document(replayed: Replay) -> dict[str, Any]:
    entry = replayed.entry
    return {
        "id": entry.id,
        "when": entry.when,
        "who": entry.who,
        "model_type": entry.model_type,
        "is_equal": replayed.is_equal,
        "problem": replayed.problem or None,
        "reasons": list(replayed.reasons),
        "differences": [vars(difference) for difference in replayed.differences],
    }


def _show(replays: list[Replay]) -> None:
    out = console()
    for replayed in replays:
        entry = replayed.entry
        outcome = "equal to the last digit"
        if replayed.problem:
            outcome = f"not computed: {replayed.problem}"
        elif replayed.differences:
            outcome = f"{len(replayed.differences)} members differ"
        who = f" for {entry.who}" if entry.who else ""
        line = f"{entry.id or '(no id)'}, {entry.when}{who}, {entry.model_type}: {outcome}"
        out.print(printable(line), soft_wrap=True)
        if replayed.differences:
            listing = table(left=["member"], right=["logged", "now"])
            for d in replayed.differences[:_SHOWN]:
                listing.add_row(d.member, printable(str(d.logged)), printable(str(d.replayed)))
            out.print(listing)
            show_warnings(out, replayed.reasons)
    n_equal = sum(replayed.is_equal for replayed in replays)
    out.print(f"{n_equal} of {len(replays)} answers are reproduced.")
