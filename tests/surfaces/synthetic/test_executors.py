import os

import pytest

from levy_surfaces.synthetic.executors import ProcessExecutor, SerialExecutor


def _make(number):
    return {str(number): b"made"}


def _die(number):
    os._exit(1)


def test_the_serial_executor_yields_every_chunk():
    assert list(SerialExecutor().map_unordered(_make, [3, 1])) == [{"3": b"made"}, {"1": b"made"}]


@pytest.mark.system
def test_many_chunks_go_through_few_processes():
    made = list(ProcessExecutor(2).map_unordered(_make, range(23)))
    assert sorted(int(name) for files in made for name in files) == list(range(23))


@pytest.mark.system
def test_a_worker_that_terminates_raises_and_nothing_hangs():
    with pytest.raises(ChildProcessError, match="run the command again to continue"):
        list(ProcessExecutor(2).map_unordered(_die, range(9)))
