"""Data sets made by several processes, or by a cluster, and continued where they were left.

Each file is made on its own, so that the bytes are the same however many workers there are.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

from threadpoolctl import threadpool_limits

from levy_surfaces.synthetic.chunks import is_written, write_chunk
from levy_surfaces.synthetic.manifest import Manifest, Plan, file_hash

Progress = Callable[[int, int], None]
"""Told (surfaces done, in all)."""


class Workers(Protocol):
    """Who makes the files: here, in several processes, or on a cluster."""

    def write(self, plan: Plan, root: Path, numbers: list[int]) -> Iterator[int]:
        """Make those files, and yield the number of surfaces of each that is done."""
        ...


class Here:
    """The process that asks, alone."""

    def write(self, plan: Plan, root: Path, numbers: list[int]) -> Iterator[int]:
        for number in numbers:
            yield _write_on_one_core(plan, root, number)


class Processes:
    """Several processes of this machine, one core each."""

    def __init__(self, n_workers: int) -> None:
        self._n_workers = n_workers

    def write(self, plan: Plan, root: Path, numbers: list[int]) -> Iterator[int]:
        with _pool(min(self._n_workers, len(numbers))) as pool:
            futures = [pool.submit(_write_on_one_core, plan, root, k) for k in numbers]
            for future in as_completed(futures):
                yield future.result()


@contextmanager
def _pool(n_workers: int) -> Iterator[ProcessPoolExecutor]:
    # Forking a process that has threads, as those of BLAS, may hang.
    pool = ProcessPoolExecutor(n_workers, mp_context=get_context("spawn"))
    try:
        yield pool
    finally:
        # After a failure or Ctrl-C what has not begun is not begun.
        pool.shutdown(cancel_futures=True)


def generate(
    plan: Plan,
    root: str | Path,
    *,
    workers: Workers | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Make a data set, or what is missing of it, under `root`.

    Parameters
    ----------
    plan : Plan
    root : str or Path
        The data folder; files go to `plan.folder(root)`.
    workers : Workers, optional
        This process by default.
    progress : callable, optional
        Told (surfaces done, in all).

    Returns
    -------
    Manifest
        Also written beside the files.

    Raises
    ------
    LevyError
        The plan is not admissible, or the folder holds data of another one.
    """
    plan.check()
    folder = plan.folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [k for k in range(plan.n_chunks) if not is_written(plan, root, k)]
    done = plan.size - sum(stop - start for start, stop in map(plan.chunk_range, missing))
    if progress:
        progress(done, plan.size)
    for written in (workers or Here()).write(plan, Path(root), missing) if missing else ():
        done += written
        if progress:
            progress(done, plan.size)
    names = [plan.chunk_name(k) for k in range(plan.n_chunks)]
    manifest = Manifest(plan, {name: file_hash(folder / name) for name in names})
    manifest.write(folder)
    return manifest


def _write_on_one_core(plan: Plan, root: Path, number: int) -> int:
    # The order of a sum, and so its last digit, may depend on the number of threads.
    with threadpool_limits(1):
        return write_chunk(plan, root, number)
