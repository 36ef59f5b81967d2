"""Compute the chunks of a data set in this process, in several processes, or on a cluster."""

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, Protocol

from levy_numerics.errors import InvalidInputError
from levy_surfaces.interrupts import interrupts_blocked, on_interrupt

if TYPE_CHECKING:
    from distributed import Client

Files = dict[str, bytes]
"""Contents by path."""
MakeChunk = Callable[[int], Files]
"""Returns the files of the chunk of that number; picklable, for other processes."""

_AHEAD: Final = 2
"""Chunks submitted at a time for each worker: more would wait in memory to be written."""


class Executor(Protocol):
    """Computes chunks; the caller writes them, so that workers need not share a disk."""

    def map_unordered(self, make_chunk: MakeChunk, numbers: Sequence[int]) -> Iterator[Files]:
        """Yield the files of each chunk, in order of completion."""
        ...


class SerialExecutor:
    """Computes chunks in the calling process."""

    def map_unordered(self, make_chunk: MakeChunk, numbers: Sequence[int]) -> Iterator[Files]:
        yield from map(make_chunk, numbers)


class ProcessExecutor:
    """Computes chunks in several processes of this machine, one core each."""

    def __init__(self, n_workers: int) -> None:
        self._n_workers = n_workers

    def map_unordered(self, make_chunk: MakeChunk, numbers: Sequence[int]) -> Iterator[Files]:
        n_workers = min(self._n_workers, len(numbers))
        # Forking a process that has threads, such as those of BLAS, may deadlock.
        # At Ctrl-C the parent ends its workers, after the chunks in progress.
        pool = ProcessPoolExecutor(
            n_workers,
            mp_context=get_context("spawn"),
            initializer=on_interrupt,
            initargs=(signal.SIG_IGN,),
        )
        pending: set[Future[Files]] = set()
        try:
            for number in numbers:
                with interrupts_blocked():
                    pending.add(pool.submit(make_chunk, number))
                if len(pending) >= _AHEAD * n_workers:
                    yield from _completed(pending)
            while pending:
                yield from _completed(pending)
        except BrokenExecutor as error:
            raise ChildProcessError(
                "a worker process terminated unexpectedly; run the command again to continue"
            ) from error
        finally:
            # After a failure or Ctrl-C, chunks that have not started are cancelled.
            pool.shutdown(cancel_futures=True)


def _completed(pending: set[Future[Files]]) -> Iterator[Files]:
    """Wait for the first result; remove and yield all that are complete."""
    done, _ = wait(pending, return_when=FIRST_COMPLETED)
    pending -= done
    for future in done:
        yield future.result()


class DaskExecutor:
    """Computes chunks on the workers of a Dask cluster.

    Parameters
    ----------
    address : str
        Address of the scheduler, such as tcp://host:8786; or `local` for a cluster on this machine.
    n_workers : int
        Workers of a local cluster.
    """

    def __init__(self, address: str, n_workers: int = 2) -> None:
        self._address = address
        self._n_workers = n_workers

    def map_unordered(self, make_chunk: MakeChunk, numbers: Sequence[int]) -> Iterator[Files]:
        # Dask takes seconds to import, and only this executor needs it.
        from distributed import as_completed

        with self._client() as client:
            n_ahead = _AHEAD * max(1, len(client.scheduler_info()["workers"]))
            remaining = iter(numbers)
            first = [client.submit(make_chunk, k, pure=False) for k in islice(remaining, n_ahead)]
            pending = as_completed(first)
            for future in pending:
                yield future.result()
                future.release()
                for number in islice(remaining, 1):
                    pending.add(client.submit(make_chunk, number, pure=False))

    @contextmanager
    def _client(self) -> Iterator["Client"]:
        from distributed import Client, LocalCluster

        if self._address != "local":
            try:
                client = Client(self._address)
            except (ValueError, OSError) as error:
                message = f"{self._address}: cannot connect to a Dask scheduler: {error}"
                raise InvalidInputError(message) from None
            with client:
                yield client
            return
        with (
            LocalCluster(
                n_workers=self._n_workers, threads_per_worker=1, dashboard_address=None
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
