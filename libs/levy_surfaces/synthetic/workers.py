"""Who makes the chunks of a data set: this process, several, or a cluster."""

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from distributed import Client

Files = dict[str, bytes]
"""Contents by path."""
Make = Callable[[int], Files]
"""Makes the files of the chunk of that number; it can be sent to another process."""

_AHEAD: Final = 2
"""Chunks asked for at a time, for each worker: so many may wait in memory to be written."""


class Workers(Protocol):
    """Makes chunks; whoever asks writes them, so that workers need share no disk."""

    def make(self, make: Make, numbers: Sequence[int]) -> Iterator[Files]:
        """Files of each chunk, in the order in which they are ready."""
        ...


class Here:
    """The process that asks, alone."""

    def make(self, make: Make, numbers: Sequence[int]) -> Iterator[Files]:
        yield from map(make, numbers)


class Processes:
    """Several processes of this machine, one core each."""

    def __init__(self, n_workers: int) -> None:
        self._n_workers = n_workers

    def make(self, make: Make, numbers: Sequence[int]) -> Iterator[Files]:
        n_workers = min(self._n_workers, len(numbers))
        # Forking a process that has threads, as those of BLAS, may hang.
        pool = ProcessPoolExecutor(
            n_workers, mp_context=get_context("spawn"), initializer=_leave_interrupts_to_others
        )
        left = iter(numbers)
        under_way: set[Future[Files]] = set()
        try:
            for number in left:
                under_way.add(pool.submit(make, number))
                if len(under_way) >= _AHEAD * n_workers:
                    yield from _ready(under_way)
            while under_way:
                yield from _ready(under_way)
        except BrokenExecutor as error:
            raise ChildProcessError(
                "a worker process came to a sudden end; run again to continue"
            ) from error
        finally:
            # After a failure or Ctrl-C what has not begun is not begun.
            pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_others() -> None:
    """Ctrl-C reaches every process of a terminal; who asked for the chunks ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _ready(under_way: set[Future[Files]]) -> Iterator[Files]:
    """Take out, and yield, what is done; wait for the first."""
    done, _ = wait(under_way, return_when=FIRST_COMPLETED)
    under_way -= done
    for future in done:
        yield future.result()


class Cluster:
    """The workers of a Dask cluster.

    Parameters
    ----------
    address : str
        Of its scheduler, as tcp://host:8786; or `local` for a cluster on this machine.
    n_workers : int
        Of a local cluster.
    """

    def __init__(self, address: str, n_workers: int = 2) -> None:
        self._address = address
        self._n_workers = n_workers

    def make(self, make: Make, numbers: Sequence[int]) -> Iterator[Files]:
        # Seconds to import, and needed by none but those who have a cluster.
        from distributed import as_completed

        with self._client() as client:
            n_ahead = _AHEAD * max(1, len(client.scheduler_info()["workers"]))
            left = iter(numbers)
            first = [client.submit(make, k, pure=False) for k in islice(left, n_ahead)]
            under_way = as_completed(first)
            for future in under_way:
                yield future.result()
                future.release()
                for number in islice(left, 1):
                    under_way.add(client.submit(make, number, pure=False))

    @contextmanager
    def _client(self) -> Iterator["Client"]:
        from distributed import Client, LocalCluster

        if self._address != "local":
            with Client(self._address) as client:
                yield client
            return
        with (
            LocalCluster(
                n_workers=self._n_workers, threads_per_worker=1, dashboard_address=None
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
