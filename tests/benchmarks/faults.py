"""Faults of `levy serve`, as real processes, while jobs are submitted: which are lost?

Run as `python -m tests.benchmarks.faults --kills 10`. Each fault is applied while a client submits
jobs; afterwards every acknowledged job must succeed. It prints a table, and fails if a job is lost.
With `--page` it replaces the table of a Markdown file. The full disk is a small tmpfs, for which
the command must run as root; otherwise this row is "not run".
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

import httpx
from redis import Redis
from redis.exceptions import RedisError

from tests.system.conftest import System, free_port
from tests.system.test_serve import GRID, PRICES

PARTS: Final = ("redis", "redis-cache", "pricing", "calibration", "bayesian", "gateway")
BEGIN, END = "<!-- The table is made by `make faults`. -->\n", "<!-- End of the table. -->\n"
_PATH: Final = "/calibrate/bayesian"
_JOB: Final = GRID | {
    "model_type": "VarianceGamma",
    "engine": "laplace-psis",
    "num_chains": 1,
    "num_samples": 2000,
    "prices": PRICES,
}
_OUTAGE_SECONDS: Final = 4.0
_N_REFUSED: Final = 5
_LIMIT_SECONDS: Final = 240.0
_PAUSE_SECONDS: Final = 0.2


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + _LIMIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("a part did not recover")
        time.sleep(0.05)


@dataclass
class Row:
    """What one fault did.

    Attributes
    ----------
    fault : str
    times : int
        How often it was applied.
    acknowledged : list of str
        Status URLs of jobs.
    refused : Counter
        Other responses to submissions, by description.
    recovery : list of float
        Seconds from the end of the fault, or from the kill, to a healthy system.
    succeeded, failed : int
        Number of acknowledged jobs that succeeded, or did not.
    """

    fault: str
    times: int = 0
    acknowledged: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    recovery: list[float] = field(default_factory=list)
    succeeded: int = 0
    failed: int = 0

    def line(self) -> str:
        """Return the row of the table."""
        refused = ", ".join(f"{n} × {name}" for name, n in sorted(self.refused.items())) or "none"
        return (
            f"| {self.fault} | {self.times} | {len(self.acknowledged)} | {self.failed} | {refused} "
            f"| {max(self.recovery):.1f} s |"
        )


class Bench:
    """A `levy serve` that is restarted in its state folder."""

    def __init__(self, folder: Path, state_dir: Path) -> None:
        self._folder, self._state_dir = folder, state_dir
        self._port = free_port()
        self.system = self._start()

    def _start(self) -> System:
        return System(self._port, self._folder / "log", self._state_dir)

    def restart(self) -> None:
        """Kill the supervisor alone, and start another in the same folder."""
        self.system.process.kill()
        self.system.clean_up()
        self.system = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.system.stop()
        self.system.clean_up()

    @contextmanager
    def redis(self) -> Iterator[Redis]:
        """Connect to the Redis of the jobs."""
        path = self.system.said.split("unix://")[1].split()[0]
        with Redis(unix_socket_path=path, single_connection_client=True) as redis:
            yield redis

    def health(self) -> str:
        """Return the status in `/health`."""
        try:
            found = httpx.get(f"{self.system.url}/health", timeout=10.0, trust_env=False)
            return str(found.json()["status"])
        except httpx.TransportError:
            return "unreachable"

    @contextmanager
    def submitting(self, row: Row) -> Iterator[None]:
        """Submit jobs until the body ends; then wait for the acknowledged ones."""
        ended = threading.Event()

        def submit() -> None:
            while not ended.wait(_PAUSE_SECONDS):
                self.submit(row)

        thread = threading.Thread(target=submit)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        for place in row.acknowledged[row.succeeded + row.failed :]:
            succeeds = self._succeeds(place)
            row.succeeded += succeeds
            row.failed += not succeeds

    def submit(self, row: Row) -> bool:
        """Submit a job; return whether it was acknowledged."""
        url = self.system.url + _PATH
        try:
            answer = httpx.post(url, json=_JOB, timeout=30.0, trust_env=False)
        except httpx.TransportError:
            row.refused["no connection"] += 1
            return False
        if answer.status_code != 202:
            row.refused[f"{answer.status_code} `{answer.json()['code']}`"] += 1
            return False
        row.acknowledged.append(answer.headers["Location"])
        return True

    def _succeeds(self, place: str) -> bool:
        deadline = time.monotonic() + _LIMIT_SECONDS
        while time.monotonic() < deadline:
            try:
                job = httpx.get(self.system.url + place, timeout=10.0, trust_env=False).json()
            except httpx.TransportError:
                job = {}
            if job.get("status") in {"succeeded", "failed", "cancelled"}:
                return bool(job["status"] == "succeeded")
            time.sleep(0.1)
        return False

    def recover(self, row: Row, since: float) -> None:
        """Wait until the system is healthy and accepts jobs, and record the time."""
        until(lambda: self.health() == "healthy")
        until(lambda: self.submit(row))
        row.recovery.append(time.monotonic() - since)


def refusal(bench: Bench, name: str, apply: Callable[[Redis], Callable[[], None]]) -> Row:
    """Apply a fault to Redis for some seconds; `apply` returns the function that ends it."""
    row = Row(name, 1)
    with bench.redis() as redis, bench.submitting(row):
        time.sleep(1.0)
        end = apply(redis)
        time.sleep(_OUTAGE_SECONDS)
        until(lambda: row.refused.total() >= _N_REFUSED)
        assert bench.health() != "unreachable"
        end()
        bench.recover(row, time.monotonic())
    return row


def _follow_nobody(redis: Redis) -> None:
    redis.slaveof()


def _set(redis: Redis, name: str, value: int) -> None:
    redis.config_set(name, value)


def read_only(redis: Redis) -> Callable[[], None]:
    """Have Redis reject writes, as after a failover."""
    redis.slaveof("127.0.0.1", 1)
    return partial(_follow_nobody, redis)


def full_memory(redis: Redis) -> Callable[[], None]:
    """Lower `maxmemory`, so that a few jobs fill it."""
    before = int(redis.info("memory")["maxmemory"])
    redis.config_set("maxmemory", redis.info("memory")["used_memory"] + 12 * 2**20)
    return partial(_set, redis, "maxmemory", before)


def full_disk(state_dir: Path) -> Callable[[Redis], Callable[[], None]]:
    """Fill the disk of the append-only file."""
    filler = state_dir / "filler"

    def fill(redis: Redis) -> Callable[[], None]:
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

        def rejects() -> bool:
            try:
                redis.set("levy:probe", 1, px=1)
            except RedisError:
                return True
            return False

        until(rejects)
        return filler.unlink

    return fill


def kill(bench: Bench, row: Row, part: str) -> None:
    """Kill a part, and wait until it runs again."""
    before, since = bench.system.child(part), time.monotonic()
    assert before is not None
    os.kill(before, signal.SIGKILL)
    until(lambda: bench.system.child(part) not in {None, before})
    bench.recover(row, since)


def kill_supervisor(bench: Bench, row: Row) -> None:
    """Kill the supervisor, and start another."""
    since = time.monotonic()
    bench.restart()
    bench.recover(row, since)


@contextmanager
def tmpfs(folder: Path) -> Iterator[Path | None]:
    """Yield a small file system, or None where it cannot be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def rows(n_kills: int) -> Iterator[Row | str]:
    """Apply every fault; yield rows, or the name of a fault that was not run."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
        with tmpfs(folder / "disk") as disk:
            if disk is None:
                yield "disk is full"
            else:
                with Bench(folder, disk) as bench:
                    yield refusal(bench, "disk is full", full_disk(disk))
        bench = stack.enter_context(Bench(folder, folder / "state"))
        yield refusal(bench, "Redis is read-only", read_only)
        yield refusal(bench, "memory of Redis is full", full_memory)
        by_part = {part: Row(f"`kill -9` of {part}", n_kills) for part in PARTS}
        for _ in range(n_kills):
            for part, row in by_part.items():
                with bench.submitting(row):
                    kill(bench, row, part)
        yield from by_part.values()
        row = Row("`kill -9` of `levy serve`, then a restart", n_kills)
        for _ in range(n_kills):
            with bench.submitting(row):
                kill_supervisor(bench, row)
        yield row


def main() -> int:
    """Print the table; return 1 if a job was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10, help="of each part")
    parser.add_argument("--page", type=Path, help="Markdown file whose table is replaced")
    options = parser.parse_args()
    lines = [
        "| fault | times | jobs acknowledged | lost | other responses | longest recovery |",
        "|---|---:|---:|---:|---|---:|",
    ]
    n_lost = 0
    for row in rows(options.kills):
        n_lost += 0 if isinstance(row, str) else row.failed
        lines.append(f"| {row} | not run |||||" if isinstance(row, str) else row.line())
        print(lines[-1], flush=True)
    if options.page is not None:
        before, _, rest = options.page.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        table = "\n".join(lines) + "\n"
        options.page.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")
    return int(n_lost > 0)


if __name__ == "__main__":
    sys.exit(main())
