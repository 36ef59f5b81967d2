"""Load test of the gateway and the calibration service: `make load`, or `--help` for the options.

Surfaces have 200 prices of a richer model than the one fitted, with the noise of ticks and spreads,
so that fits have noise and misfit as those of real quotes; `--truth own` sends prices of the fitted
model itself. A closed loop sends them over 4 and over 32 connections, each with
`Cache-Control: no-store`, to real processes on this machine. The same run measures the gateway with
an upstream service that computes nothing, and empty services with one and two hops.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
from rich.console import Console

from levy_numerics import models, pricing
from levy_validation import stochastic_volatility
from tests.benchmarks import report, surface
from tests.load import closed_loop, empty_service
from tests.processes import Service, Stack, free_port

CONNECTIONS: Final = (4, 32)
SURFACES: Final = 64
WARM_UP: Final = 50
NOISE: Final = 0.02
"""Standard deviation of the prices' errors, for a forward of about 100."""
BASELINE: Final = "empty services, two hops"
COLUMNS: Final = (
    *("case", "connections", "rate_per_s", "of_baseline", "p50_ms", "p95_ms", "p99_ms"),
    *("gateway_cpu_us", "service_cpu_us", "statuses"),
)


@dataclass(frozen=True)
class Case:
    """A pair of services to measure."""

    title: str
    gateway: Service
    services: tuple[Service, ...]


RANGES: Final = {
    "VarianceGamma": {"sigma": (0.15, 0.35), "nu": (0.2, 0.8), "theta": (-0.3, -0.05)},
    "CGMY": {"C": (0.2, 1.5), "G": (4.0, 12.0), "M": (6.0, 20.0), "Y": (0.2, 1.2)},
    "NIG": {"alpha": (8.0, 25.0), "beta": (-6.0, -1.0), "delta": (0.2, 0.8)},
}
"""Ranges of the parameters of surfaces of the fitted model itself."""
OWN: Final = "own"
TRUTHS: Final = (*stochastic_volatility.KINDS, OWN)
MODELS: Final = (*RANGES, "Merton", "NIGCIR")


@dataclass(frozen=True)
class Workload:
    """The requests to send.

    Attributes
    ----------
    model, method, uncertainty : str
        Members of the requests.
    truth : str
        Model of the prices; `own` is the model that is fitted.
    noise : float
        Standard deviation of the errors of own prices, for a forward of about 100.
    """

    model: str = "VarianceGamma"
    method: str = "hybrid"
    uncertainty: str = "robust"
    truth: str = "Bates"
    noise: float = NOISE

    def surfaces(self, decimals: int) -> list[dict[str, Any]]:
        """Return requests of 200 prices, each of different parameters; null where none is bid."""
        shape = len(surface.MATURITIES), len(surface.STRIKES)
        rng = np.random.default_rng(20261124)
        made = []
        for _ in range(SURFACES):
            prices = self._prices(rng).reshape(shape)
            made.append(
                {
                    "model_type": self.model,
                    "spot_price": surface.SPOT,
                    "risk_free_rate": surface.RATE,
                    "dividend_yield": surface.DIVIDEND_YIELD,
                    "strikes": surface.STRIKES.tolist(),
                    "maturities": surface.MATURITIES.tolist(),
                    "prices": [
                        [round(price, decimals) if price > 0.0 else None for price in row]
                        for row in prices.tolist()
                    ],
                    "method": self.method,
                    "uncertainty": self.uncertainty,
                }
            )
        return made

    def _prices(self, rng: np.random.Generator) -> np.ndarray:
        """Return prices, shape (n,); zero for options without a bid."""
        contracts = surface.contracts()
        if self.truth == OWN:
            ranges = RANGES[self.model]
            truth = models.get(self.model)(**{p: rng.uniform(*ends) for p, ends in ranges.items()})
            errors = self.noise * rng.standard_normal(contracts.size)
            return np.maximum(pricing.price(truth, contracts).value + errors, 0.0)
        value = stochastic_volatility.price(stochastic_volatility.draw(self.truth, rng), contracts)
        bid, ask = stochastic_volatility.bids_and_asks(contracts, value, rng)
        return np.where(bid > 0.0, 0.5 * (bid + ask), 0.0)

    def __str__(self) -> str:
        prices = f"errors of {self.noise:g}" if self.truth == OWN else f"prices of {self.truth}"
        return f"{self.model}, {self.method}, 200 quotes with {prices}"


def bodies(workload: Workload, *, n_together: int = 1) -> list[bytes]:
    """Return bodies of single requests, or of lists of equal length.

    Prices of lists have 8 decimals, the most that the limit on the body size allows.
    """
    made = workload.surfaces(decimals=6 if n_together == 1 else 8)
    if n_together == 1:
        return [json.dumps(request).encode() for request in made]
    starts = range(0, len(made) - n_together + 1, n_together)
    return [json.dumps({"surfaces": made[k : k + n_together]}).encode() for k in starts]


def start(stack: Stack, arguments: argparse.Namespace, folder: Path, body: bytes) -> list[Case]:
    """Start the processes of every case; they are idle while other cases are measured."""
    calibrations = [stack.service("calibration") for _ in range(arguments.instances)]
    addresses = ",".join(each.url for each in calibrations)
    settings = {"CALIBRATION_URL": addresses, "WORKERS": str(arguments.gateways)}
    if arguments.redis:
        settings |= {"REDIS_URL": stack.redis(folder).url, "RATE_LIMIT": "1000000/minute"}
    gateway = stack.service("gateway", settings=settings)
    os.environ[empty_service.ANSWER] = str(_answer(gateway, body, folder))
    idle = _bare(stack, "second", "calibration", {})
    before_idle = stack.service("gateway", settings={"CALIBRATION_URL": idle.url})
    bare = _bare(stack, "first", "gateway", {"CALIBRATION_URL": idle.url})
    return [
        Case("empty service, one hop", idle, ()),
        Case(BASELINE, bare, (idle,)),
        Case("gateway, empty service", before_idle, (idle,)),
        Case("gateway, calibration", gateway, tuple(calibrations)),
    ]


def measure(
    case: Case, made: list[bytes], connections: int, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Measure one case: surfaces per second, percentiles, processor time per surface and hop."""
    n_together = arguments.surfaces
    warm_up = max(WARM_UP // n_together, 2)
    port = case.gateway.port
    requests = [
        closed_loop.request_of("/calibrate", body, port, ("Cache-Control: no-store",))
        for body in made
    ]
    hops = (case.gateway,), case.services
    before = [_cpu_seconds(hop) for hop in hops]
    found = closed_loop.run(port, requests, connections, arguments.seconds, warm_up)
    n_surfaces = n_together * (len(found.seconds) + warm_up * connections)
    spent = [
        round(1e6 * (_cpu_seconds(hop) - then) / n_surfaces)
        for hop, then in zip(hops, before, strict=True)
    ]
    return {
        "case": case.title,
        "connections": connections,
        "rate_per_s": n_together * found.rate,
        **{f"p{q}_ms": found.percentile_ms(q) for q in (50, 95, 99)},
        "gateway_cpu_us": spent[0],
        "service_cpu_us": spent[1],
        "statuses": ", ".join(f"{n}×{status}" for status, n in sorted(found.statuses.items())),
    }


def _cpu_seconds(hop: Sequence[Service]) -> float:
    return sum(each.cpu_seconds() for each in hop)


def _answer(gateway: Service, body: bytes, folder: Path) -> Path:
    """Store a real response, which the empty service returns to every request."""
    headers = {"Content-Type": "application/json"}
    url = f"{gateway.url}/calibrate"
    answer = httpx.post(url, content=body, headers=headers, timeout=60.0, trust_env=False)
    path = folder / "answer.json"
    path.write_bytes(answer.raise_for_status().content)
    return path


def _bare(stack: Stack, factory: str, name: str, settings: dict[str, str]) -> Service:
    """Start an empty service, with the same server as the engine's services."""
    port = free_port()
    options = ("--factory", "--no-access-log", "--log-level", "warning", "--port", str(port))
    command = [sys.executable, "-m", "uvicorn", f"tests.load.empty_service:{factory}", *options]
    return stack.service(name, port=port, settings=settings, command=command)


def _rows(rounds: list[dict[str, Any]], connections: int) -> list[dict[str, Any]]:
    """Return the best round of each case, and its rate relative to the baseline."""
    best: dict[str, dict[str, Any]] = {}
    for row in rounds:
        if row["connections"] == connections:
            former = best.get(row["case"])
            if former is None or row["rate_per_s"] > former["rate_per_s"]:
                best[row["case"]] = row
    baseline = best[BASELINE]["rate_per_s"]
    return [row | {"of_baseline": row["rate_per_s"] / baseline} for row in best.values()]


def main() -> None:
    """Measure, print the table and write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--method", default="hybrid", help="of the requests")
    parser.add_argument("--model", default="VarianceGamma", choices=MODELS, help="model to fit")
    parser.add_argument(
        "--truth", default="Bates", choices=TRUTHS, help="model of the prices; own: the fitted one"
    )
    parser.add_argument("--uncertainty", default="robust", help="of the requests")
    parser.add_argument(
        "--surfaces",
        type=int,
        default=1,
        choices=range(1, SURFACES + 1),
        metavar="N",
        help=f"per request, 1 to {SURFACES}; rates and processor times are per surface",
    )
    parser.add_argument(
        "--noise", type=float, default=NOISE, help="standard deviation of errors of own prices"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="per measurement")
    parser.add_argument("--rounds", type=int, default=3, help="the best round of each case counts")
    parser.add_argument("--instances", type=int, default=1, help="number of calibration services")
    parser.add_argument("--gateways", type=int, default=1, help="number of gateway workers")
    parser.add_argument("--redis", action="store_true", help="also enforce rate limits in Redis")
    parser.add_argument("--out", type=Path, default=Path("build/load.json"))
    arguments = parser.parse_args()
    if arguments.truth == OWN and arguments.model not in RANGES:
        parser.error(f"--truth own requires --model {', '.join(RANGES)}")
    workload = Workload(
        arguments.model,
        arguments.method,
        arguments.uncertainty,
        arguments.truth,
        arguments.noise,
    )
    made = bodies(workload, n_together=arguments.surfaces)
    rounds = []
    with tempfile.TemporaryDirectory() as folder, Stack() as stack:
        cases = start(stack, arguments, Path(folder), made[0])
        for _ in range(arguments.rounds):
            for connections in CONNECTIONS:
                rounds += [measure(case, made, connections, arguments) for case in cases]
    title = (
        f"/calibrate, {workload}, {arguments.surfaces} in a request, closed loop, "
        f"best of {arguments.rounds}"
    )
    section = report.Section(title, COLUMNS)
    for connections in CONNECTIONS:
        for row in _rows(rounds, connections):
            section.add(*(row[column] for column in COLUMNS))
    section.show(Console(width=160))
    report.write([section], arguments.out, ("aiohttp", "fastapi", "redis", "uvicorn"))


if __name__ == "__main__":
    main()
