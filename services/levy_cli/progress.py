"""A bar that says how far a long computation is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from levy_cli.output import console


class Advance(Protocol):
    """What moves a bar."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show how many are done, of how many in all, and what else there is to say."""


@contextmanager
def progress(what: str) -> Iterator[Advance]:
    """Show a bar on standard error; nothing is left behind, nor sent to a file.

    Parameters
    ----------
    what : str
        That is being counted.

    Yields
    ------
    Advance
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeElapsedColumn as Elapsed

    out = console(stderr=True)
    bare = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Elapsed())
    columns = (*bare, TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task(what, total=None, note="")

        def advance(done: int, total: int, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield advance
