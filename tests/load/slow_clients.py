"""Slow clients and large headers: `make slow-clients`, or `--help` for the options.

A real gateway with 1,024 file descriptors serves a client, alone and beside 900 connections from
three other addresses: a third send headers slowly, a third bodies, a third nothing. Closed
connections are opened again after 5 s. Then 400 MB of headers are sent.
"""

import argparse
import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, cast

import numpy as np
import uvloop
from rich.console import Console

from tests.benchmarks import report
from tests.load.open_loop import Responses, closed_loop
from tests.processes import Service, Stack

DESCRIPTORS: Final = 1024
KINDS: Final = ("headers", "bodies", "idle")
DRIP_SECONDS: Final = 1.0
REOPEN_SECONDS: Final = 5.0
GET: Final = b"GET /health/live HTTP/1.1\r\nHost: levy\r\n\r\n"
BEGINNINGS: Final = {
    "headers": b"GET /health/live HTTP/1.1\r\nHost: levy\r\n",
    "bodies": b"POST /price HTTP/1.1\r\nHost: levy\r\nContent-Length: 100000\r\n\r\n",
    "idle": b"",
}
DRIPS: Final = {"headers": b"A: b\r\n", "bodies": b" ", "idle": b""}
COLUMNS: Final = ("case", "requests", "failed", "p50_ms", "p99_ms", "of_p99_alone", "mib")


def start(stack: Stack) -> Service:
    """Start a gateway with few file descriptors."""
    command = ["bash", "-c", f"ulimit -n {DESCRIPTORS} && exec {sys.executable} -m levy_gateway"]
    return stack.service("gateway", command=command)


class Attacker(asyncio.Protocol):
    """A connection that sends some bytes every second."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the beginning of a request."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(BEGINNINGS[self._kind])

    def drip(self) -> None:
        """Send a few bytes more."""
        if not self._transport.is_closing():
            self._transport.write(DRIPS[self._kind])

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop."""
        self.closed.set_result(None)


async def attack(port: int, each: int) -> None:
    """Hold the slow connections until the process is stopped."""
    await asyncio.gather(*(_hold(port, kind, k) for kind in KINDS for k in range(each)))


async def _hold(port: int, kind: str, k: int) -> None:
    loop, address = asyncio.get_running_loop(), f"127.0.0.{2 + k % 3}"
    while True:
        try:
            _, attacker = await loop.create_connection(
                lambda: Attacker(kind), "127.0.0.1", port, local_addr=(address, 0)
            )
            while not attacker.closed.done():
                await asyncio.sleep(DRIP_SECONDS)
                attacker.drip()
        except OSError:
            pass
        await asyncio.sleep(REOPEN_SECONDS)


async def new_connections(port: int, seconds: float) -> Responses:
    """Send requests over a new connection each, one after the other."""
    responses, end = Responses(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        due, status = time.perf_counter(), 0
        try:
            async with asyncio.timeout(10.0):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(GET)
                status = int((await reader.readline()).split()[1])
                writer.close()
        except (OSError, IndexError):
            pass
        responses.add(due, status)
        await asyncio.sleep(0.01)
    return responses


async def others(port: int, seconds: float) -> dict[str, Responses]:
    """Return the responses to other clients, over kept and over new connections."""
    kept, new = await asyncio.gather(
        asyncio.wait_for(closed_loop(port, [GET], 4, seconds, pause=0.01), seconds + 30.0),
        new_connections(port, seconds),
    )
    return {"kept connections": kept, "new connections": new}


async def large_headers(port: int, megabytes: int, service: Service) -> float:
    """Send headers over four connections, opened again if closed; return the peak in MiB."""
    peak = service.resident_mib()
    writers: list[asyncio.StreamWriter | None] = [None] * 4
    for k in range(megabytes):
        writer = writers[k % 4]
        try:
            if writer is None or writer.is_closing():
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET / HTTP/1.1\r\nX: ")
            writers[k % 4] = writer
            writer.write(b"a" * 10**6)
            await writer.drain()
        except OSError:
            writers[k % 4] = None
        peak = max(peak, service.resident_mib())
    return peak


def measure(service: Service, options: argparse.Namespace) -> report.Section:
    """Measure alone and under attack in turn, then with large headers."""
    section = report.Section("Slow clients and large headers", COLUMNS)
    found: dict[tuple[str, str], list[Responses]] = {}
    command = [sys.executable, "-m", "tests.load.slow_clients", "--attack", str(service.port)]
    command += ["--each", str(options.each)]
    attacked = f"beside {3 * options.each} slow connections"
    mib = {}
    for _ in range(options.rounds):
        for case in ("alone", attacked):
            attacker = None if case == "alone" else subprocess.Popen(command)
            try:
                time.sleep(0.0 if attacker is None else 3.0)
                for name, responses in uvloop.run(others(service.port, options.seconds)).items():
                    found.setdefault((name, case), []).append(responses)
                mib[case] = service.resident_mib()
            finally:
                if attacker is not None:
                    attacker.kill()
                    attacker.wait()
        time.sleep(1.0)
    alone: dict[str, float] = {}
    for (name, case), parts in found.items():
        taken = 1e3 * np.concatenate([part.latencies(accepted=True) for part in parts])
        failed = sum(part.latencies(accepted=False).size for part in parts)
        p50, p99 = np.percentile(taken, (50, 99)) if taken.size else (np.nan, np.nan)
        ratio = p99 / alone.setdefault(name, p99)
        section.add(f"{name}, {case}", taken.size + failed, failed, p50, p99, ratio, mib[case])
    peak = uvloop.run(large_headers(service.port, options.megabytes, service))
    section.add(f"peak with {options.megabytes} MB of headers", *[np.nan] * 5, peak)
    return section


def main() -> None:
    """Measure, print the table and write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.slow_clients", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="per case and round")
    parser.add_argument("--each", type=int, default=300, help="connections of each kind")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path("build/slow-clients.json"))
    parser.add_argument("--attack", type=int, metavar="PORT", help="only attack this port")
    arguments = parser.parse_args()
    if arguments.attack is not None:
        uvloop.run(attack(arguments.attack, arguments.each))
    with Stack() as stack:
        section = measure(start(stack), arguments)
    section.show(Console(width=160))
    report.write([section], arguments.out, ("uvicorn",))


if __name__ == "__main__":
    main()
