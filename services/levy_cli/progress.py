"""A bar that says how far a long computation is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from levy_cli.output import console


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error; nothing is left behind, nor sent to a file.

    Parameters
    ----------
    what : str
        That is being counted.

    Yields
    ------
    callable
        To be told (done, in all).
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeElapsedColumn as Elapsed

    out = console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Elapsed())
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task(what, total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield advance
