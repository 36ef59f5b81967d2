"""How commands speak: JSON for programs, tables for people."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console
    from rich.table import Table

    from levy_surfaces.summary import ExpirySummary

EXPIRY_COLUMNS: Final = (*("quotes", "forward", "rate", "yield", "strikes", "ATM vol"),)


def print_json(answer: "BaseModel | dict[str, Any]") -> None:
    """Print one document, as it would go over the wire; only HTTP has request ids."""
    document = (
        answer
        if isinstance(answer, dict)
        else answer.model_dump(mode="json", exclude={"request_id"})
    )
    json.dump(document, sys.stdout, allow_nan=False, ensure_ascii=False)
    sys.stdout.write("\n")


def refuse_unwritable(*targets: str | None) -> None:
    """Complain about a folder that is not there before a long computation.

    Raises
    ------
    InvalidInputError
        A file cannot be put where it is asked to be.
    """
    from levy_numerics.errors import InvalidInputError

    for target in targets:
        if target and not Path(target).absolute().parent.is_dir():
            raise InvalidInputError(f"{target}: there is no such folder")


def vol_points(error: float | None) -> str:
    """Write an error of implied volatility; a dash where there is none."""
    return "–" if error is None else f"{100 * error:.2f}"


def sentence(text: str) -> str:
    """Capitalise the first letter, and nothing else."""
    return text[:1].upper() + text[1:]


def console(*, stderr: bool = False) -> "Console":
    """Make a console; into a file or a pipe it writes plain text of any width."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 160
    return Console(file=stream, highlight=False, width=width)


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
