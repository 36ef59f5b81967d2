"""Follow many synthetic underlyings; prints the rate by the number of workers.

Run as `python -m tests.benchmarks.following_many --underlyings 500 --days 58`.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pandas as pd

from levy_numerics import models, pricing
from levy_numerics.market import Contracts

RUN: Final = "import sys; from levy_cli.main import main; sys.exit(main())"
MODEL: Final = models.VarianceGamma
_STRIKES: Final = np.linspace(0.8, 1.2, 15)
_YEARS: Final = (30 / 365, 91 / 365, 182 / 365, 1.0)


def write_underlying(path: Path, n_days: int, rng: np.random.Generator) -> None:
    """Write days of calls and puts in ticks, of a model whose coordinates move."""
    z, spot = np.array(MODEL.example().to_coordinates(), dtype=float), 100.0
    frames = []
    for day in pd.bdate_range("2024-01-02", periods=n_days):
        x = 0.01 * rng.standard_normal()
        spot *= np.exp(x)
        z = z + np.array([-4.0, 0.0, 0.0]) * x + 0.03 * rng.standard_normal(3)
        strikes = np.unique(np.round(spot * _STRIKES))
        for is_call in (True, False):
            contracts = Contracts.grid(
                spot=spot,
                rate=0.03,
                dividend_yield=0.01,
                strikes=strikes,
                maturities=_YEARS,
                is_call=is_call,
            )
            price = pricing.price(MODEL.from_coordinates(z), contracts).value
            bid = np.floor((price * 0.99 - 0.01) / 0.05) * 0.05
            ask = np.ceil((price * 1.01 + 0.01) / 0.05) * 0.05
            frames.append(
                pd.DataFrame(
                    {
                        "quote_date": day.date().isoformat(),
                        "maturity_years": contracts.maturity_years,
                        "strike": contracts.strike,
                        "option_type": "C" if is_call else "P",
                        "bid": np.maximum(bid, 0.0).round(2),
                        "ask": ask.round(2),
                        "spot": round(spot, 2),
                    }
                )
            )
    pd.concat(frames).to_csv(path, index=False)


def main() -> None:
    """Write the underlyings, follow them with 1, 2, … workers, and print a row for each."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.following_many")
    parser.add_argument("--underlyings", type=int, default=500)
    parser.add_argument("--days", type=int, default=58)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    with TemporaryDirectory() as name:
        quotes = Path(name) / "quotes"
        quotes.mkdir()
        for k in range(arguments.underlyings):
            write_underlying(quotes / f"u{k:04d}.csv", arguments.days, rng)
        print("| workers | days per second | processor time per day | memory of a process |")
        print("|---:|---:|---:|---:|")
        for workers in arguments.workers:
            print(_row(quotes, Path(name) / f"paths-{workers}", workers, arguments), flush=True)


def _row(quotes: Path, out: Path, workers: int, arguments: argparse.Namespace) -> str:
    command = [
        *(sys.executable, "-c", RUN, "follow", str(quotes), "--model", MODEL.name),
        *("--each", "--out", str(out), "--workers", str(workers), "--json"),
    ]
    before, began = _children(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, after = time.perf_counter() - began, _children()
    results = json.loads(done.stdout)["underlyings"].values()
    n_days = sum(result["summary"]["n_days"] for result in results)
    assert n_days == arguments.underlyings * arguments.days, results
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (
        f"| {workers} | {n_days / seconds:.1f} | {1e3 * cpu / n_days:.0f} ms | "
        f"{after.ru_maxrss / 1024:.0f} MiB |"
    )


def _children() -> resource.struct_rusage:
    return resource.getrusage(resource.RUSAGE_CHILDREN)


if __name__ == "__main__":
    main()
