"""How commands speak: JSON for programs, tables for people."""

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from levy_surfaces.printable import printable

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console
    from rich.table import Table

    from levy_surfaces.summary import ExpirySummary

_TERMINAL_CONTROLS: Final = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What JSON leaves unescaped although terminals execute it or reorder text by it."""

EXPIRY_COLUMNS: Final = (*("quotes", "forward", "rate", "yield", "strikes", "ATM vol"),)


def print_json(answer: "BaseModel | dict[str, Any]") -> None:
    """Print one document, as it would go over the wire; only HTTP has request ids."""
    document = (
        answer
        if isinstance(answer, dict)
        else answer.model_dump(mode="json", exclude={"request_id"})
    )
    text = json.dumps(document, allow_nan=False, ensure_ascii=False)
    sys.stdout.write(_TERMINAL_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text))
    sys.stdout.write("\n")


def refuse_unwritable(*targets: str | None, inputs: Sequence[str | None] = ()) -> None:
    """Refuse output files that cannot be written, before a long computation.

    Parameters
    ----------
    *targets : str or None
        Output files; None where an output is not wanted.
    inputs : sequence of str or None
        Files that are read, which no output may replace.

    Raises
    ------
    InvalidInputError
        A folder does not exist or is read-only, a target is a folder, or two names mean one file.
    """
    from levy_numerics.errors import InvalidInputError

    used = {os.path.realpath(name): "is read as input" for name in inputs if name}
    for target in filter(None, targets):
        path = Path(os.path.realpath(target))
        if not path.parent.is_dir():
            raise InvalidInputError(f"{target}: there is no such folder")
        if path.is_dir():
            raise InvalidInputError(f"{target} is a folder; name a file in it")
        if not os.access(path.parent, os.W_OK) and not _is_device(path):
            raise InvalidInputError(f"{target}: its folder cannot be written to")
        if str(path) in used and not _is_device(path):
            raise InvalidInputError(f"{target} {used[str(path)]}; choose another name")
        used[str(path)] = "is the name of two outputs"


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file()


def show_warnings(out: "Console", warnings: Sequence[str]) -> None:
    """Print each warning on a line of its own."""
    from rich.text import Text

    for warning in warnings:
        out.print(Text.assemble(("Note:", "yellow"), " ", sentence(printable(warning))))


def vol_points(error: float | None) -> str:
    """Write an error of implied volatility; a dash where there is none."""
    return "–" if error is None else f"{100 * error:.2f}"


def sentence(text: str) -> str:
    """Capitalise the first letter, and nothing else."""
    return text[:1].upper() + text[1:]


def console(*, stderr: bool = False) -> "Console":
    """Return a console; into a file or a pipe it writes plain text 160 characters wide.

    Markup and emoji codes are off: text from a file may look like either.
    """
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 160
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=width)


def table(
    *,
    left: Sequence[str] = (),
    right: Sequence[str] = (),
    last: Sequence[str] = (),
    title: str = "",
) -> "Table":
    """Make an empty table: texts, then numbers to the right, then texts again."""
    from rich import box
    from rich.table import Table

    made = Table(
        box=box.SIMPLE_HEAD,
        title=title or None,
        title_justify="left",
        title_style="bold",
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for name in left:
        made.add_column(name, no_wrap=True)
    for name in right:
        made.add_column(name, justify="right", no_wrap=True)
    for name in last:
        made.add_column(name)
    return made


def expiry_cells(line: "ExpirySummary") -> tuple[str, ...]:
    """One expiry's numbers, under `EXPIRY_COLUMNS`."""
    forward = line.forward
    return (
        str(line.n_quotes),
        f"{forward.forward:.7g}",
        f"{forward.rate:.2%}",
        "" if line.dividend_yield is None else f"{line.dividend_yield:.2%}",
        f"{line.strike_low:g}…{line.strike_high:g}",
        "" if line.atm_vol is None else f"{line.atm_vol:.2%}",
    )
