"""A bar for training, with the scores of the latest epoch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from levy_cli.output import console


@contextmanager
def training_progress(
    what: str,
) -> Iterator[Callable[[int, int, dict[str, float]], None]]:
    """Show epochs and scores on standard error; nothing is left behind, nor sent to a file."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    out = console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[scores]}"),
    )
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task(what, total=None, scores="")

        def told(done: int, total: int, epoch: dict[str, float]) -> None:
            scores = f"{epoch['score']:.3f}, held out {epoch['holdout_score']:.3f}"
            bar.update(task, completed=done, total=total, scores=scores)

        yield told
