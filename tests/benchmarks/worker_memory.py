"""Memory of a worker over many jobs of random sizes, models and engines, and when they start.

Run as `python -m tests.benchmarks.worker_memory --jobs 200`: a gateway, a pricing service, Redis
and one worker, as real processes. First it submits surfaces of several sizes that are padded to the
same one, and measures when the jobs after the first start sampling. Then it prints the memory after
each random job. It fails if the worker's peak or a start exceeds its limit, or if a job fails.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
import numpy as np

from levy_bayesian.engines import installed
from levy_numerics import models, pricing
from levy_numerics.market import Contracts
from tests.processes import Service, Stack, family_of

LIMIT_MIB: Final = 2500.0
SECONDS: Final = 2.0
_PATH: Final = "/calibrate/bayesian"
_POLL_SECONDS: Final = 0.05
_JOB_SECONDS: Final = 900.0
_PADDED: Final = ((12, 12), (9, 20), (10, 13), (11, 24))
"""Maturities and strikes of surfaces that share a padded size."""


@dataclass(frozen=True)
class Run:
    """What one job took: seconds until it started sampling and until it ended, and memory."""

    status: str
    started_seconds: float
    seconds: float
    peak_mib: float


class Worker:
    """A worker, and the services through which jobs reach it."""

    def __init__(self, stack: Stack, folder: Path, n_samples: int) -> None:
        self._n_samples = n_samples
        redis = stack.redis(folder)
        self.worker: Service = stack.service(
            "bayesian", settings={"REDIS_URL": redis.url, "COMPILED": str(folder / "compiled")}
        )
        pricing_url = stack.service("pricing").url
        settings = {"REDIS_URL": redis.url, "PRICING_URL": pricing_url, "JOB_REDIS_SECONDS": "10"}
        self._client = stack.enter_context(
            httpx.Client(
                base_url=stack.service("gateway", settings=settings).url,
                timeout=60.0,
                trust_env=False,
            )
        )

    def run(self, request: dict[str, Any]) -> Run:
        """Submit a job and poll it until it has ended."""
        n_draws = {"num_samples": self._n_samples, "num_warmup": self._n_samples}
        answer = self._client.post(_PATH, json=request | n_draws)
        answer.raise_for_status()
        place, peak = answer.headers["Location"], 0.0
        began, running, sampling = time.monotonic(), None, None
        while time.monotonic() - began < _JOB_SECONDS:
            job = self._client.get(place).json()
            now = time.monotonic()
            peak = max(peak, self.memory_mib())
            if running is None and job["status"] != "queued":
                running = now
            if sampling is None and job["progress"] > 0.0:
                sampling = now
            if job["status"] not in {"queued", "running"}:
                running = running or now
                seconds = (sampling or now) - running
                return Run(job["status"], seconds, now - running, peak)
            time.sleep(_POLL_SECONDS)
        raise TimeoutError(place)

    def memory_mib(self) -> float:
        """Return the resident memory of the worker's largest process."""
        sizes = []
        for pid in family_of(self.worker.pid):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:  # it has ended
                continue
            sizes += [int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line]
        return max(sizes, default=0) / 1024


def request(
    model_type: str, engine: str, n_maturities: int, n_strikes: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Return a job for a surface of a size, with noisy prices of the model's example."""
    strikes = np.linspace(80.0, 125.0, n_strikes)
    years = 0.2 * np.arange(1, n_maturities + 1)
    contracts = Contracts.grid(
        spot=100.0, rate=0.03, dividend_yield=0.0, strikes=strikes, maturities=years
    )
    exact = pricing.price(models.get(model_type).example(), contracts).value
    noisy = exact + 0.02 * rng.standard_normal(exact.size)
    prices = np.clip(noisy, contracts.lower_bound + 1e-4, contracts.upper_bound - 1e-4)
    return {
        "model_type": model_type,
        "engine": engine,
        "num_chains": 2,
        "seed": int(rng.integers(1000)),
        "spot_price": 100.0,
        "risk_free_rate": 0.03,
        "strikes": strikes.tolist(),
        "maturities": years.tolist(),
        "prices": prices.reshape(n_maturities, n_strikes).tolist(),
    }


def random_jobs(
    worker: Worker, n_jobs: int, seconds: float, rng: np.random.Generator
) -> tuple[float, int]:
    """Run jobs of random sizes, models and engines.

    Returns
    -------
    peak : float
        The worker's largest memory in MiB.
    n_failed : int
        Jobs that did not succeed.
    """
    engines, names = installed(), models.names()
    peak, n_failed, began = 0.0, 0, time.monotonic()
    for n in range(1, n_jobs + 1):
        name, engine = str(rng.choice(names)), str(rng.choice(engines))
        size = int(rng.integers(1, 13)), int(rng.integers(5, 31))
        done = worker.run(request(name, engine, *size, rng))
        peak = max(peak, done.peak_mib)
        n_failed += done.status != "succeeded"
        print(
            f"{n:4d} {name:24s} {engine:14s} {size[0]:3d} x {size[1]:2d} {done.status:10s} "
            f"{done.seconds:6.1f} s, started after {done.started_seconds:5.1f} s, "
            f"{worker.memory_mib():5.0f} MiB, peak {peak:5.0f} MiB",
            flush=True,
        )
        if time.monotonic() - began > seconds:
            break
    return peak, n_failed


def second_jobs(worker: Worker, engine: str, rng: np.random.Generator) -> list[float]:
    """Return the seconds until jobs of other sizes, under one padded size, started sampling."""
    worker.run(request("VarianceGamma", engine, 12, 24, rng))
    return [
        worker.run(request("VarianceGamma", engine, *size, rng)).started_seconds for size in _PADDED
    ]


def main() -> int:
    """Print the figures; return 1 if memory or a start exceeds its limit, or if a job fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="time limit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=500, help="draws, and warm-up draws")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    with TemporaryDirectory() as folder, Stack() as stack:
        worker = Worker(stack, Path(folder), options.samples)
        starts = []
        for engine in sorted({"numpyro-nuts", "pymc-nuts"} & set(installed())):
            times = second_jobs(worker, engine, rng)
            print(f"{engine}: second jobs start sampling after", np.round(times, 2), "s")
            starts += times
        peak, n_failed = random_jobs(worker, options.jobs, options.seconds, rng)
    print(f"peak {peak:.0f} MiB (limit {LIMIT_MIB:.0f})")
    print(f"longest start of a second job {max(starts):.2f} s (limit {SECONDS} s)")
    print(f"{n_failed} jobs did not succeed")
    return int(peak > LIMIT_MIB or max(starts) > SECONDS or n_failed > 0)


if __name__ == "__main__":
    sys.exit(main())
