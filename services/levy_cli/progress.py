"""Progress bars on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from levy_cli.output import console


class Advance(Protocol):
    """Updates a progress bar."""

    def __call__(self, done: int, total: int | None, note: str = "") -> None:
        """Show the number of steps done, their total, None if unknown, and a note."""


@contextmanager
def progress(description: str) -> Iterator[Advance]:
    """Show a progress bar on a terminal until the body ends.

    Parameters
    ----------
    description : str
        What is counted.

    Yields
    ------
    Advance
    """
    from rich import progress as rich

    out = console(stderr=True)
    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TimeElapsedColumn(),
        rich.TimeRemainingColumn(),
        rich.TextColumn("{task.fields[note]}"),
    )
    with rich.Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task(description, total=None, note="")

        def advance(done: int, total: int | None, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield advance
