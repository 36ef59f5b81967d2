"""Fit noisy American chains of a known model, as American and as European; print a table.

Run by `python -m tests.benchmarks.american_chains N`: N chains of 104 quotes of a CGMY model, with
mids anywhere in the middle half of the spread, which is 2% of the price and at least 4 cents.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from levy_numerics import models, pricing
from levy_numerics.calibration import CalibrationResult, calibrate
from levy_numerics.market import Contracts
from levy_numerics.pricing.early_exercise import Terms
from levy_numerics.surface import Surface
from levy_surfaces.american import AmericanTable, fit_american
from levy_surfaces.cleaning import clean
from levy_surfaces.reading import read_quotes

TRUTH = models.CGMY(C=0.3, G=5.0, M=12.0, Y=0.9)
SPOT, RATE, DIVIDEND_YIELD = 100.0, 0.05, 0.01
STRIKES = np.arange(70.0, 131.0, 5.0)
MATURITIES = [30 / 365, 91 / 365, 182 / 365, 1.0]

Fitted = tuple[CalibrationResult, Surface]


def exact_quotes() -> pd.DataFrame:
    """Return American prices of calls and puts."""
    sides = []
    for is_call in (True, False):
        contracts = Contracts.grid(
            spot=SPOT,
            rate=RATE,
            dividend_yield=DIVIDEND_YIELD,
            strikes=STRIKES,
            maturities=MATURITIES,
            is_call=is_call,
        )
        prices = pricing.price(TRUTH, contracts, terms=Terms(exercise="american"), spot=SPOT)
        sides.append(
            pd.DataFrame(
                {
                    "maturity_years": contracts.maturity_years,
                    "strike": contracts.strike,
                    "option_type": "C" if is_call else "P",
                    "price": prices.value,
                }
            )
        )
    return pd.concat(sides, ignore_index=True)


def write_chain(exact: pd.DataFrame, seed: int, path: Path) -> None:
    """Write bids and asks in ticks of a cent."""
    half = np.maximum(0.02, 0.01 * exact["price"])
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, len(exact))
    mid = exact["price"] + half * noise
    quotes = exact.assign(bid=(mid - half).clip(lower=0.0).round(2), ask=(mid + half).round(2))
    quotes.drop(columns="price").to_csv(path, index=False)


def fit(surface: Surface, last: CalibrationResult | None) -> CalibrationResult:
    """Fit the model, from the last fit if there is one."""
    start = None if last is None else last.parameters
    return calibrate(models.CGMY, surface.quotes, start=start)


def as_american(path: Path) -> Fitted:
    """Fit the European equivalents."""
    table = read_quotes(path, exercise="american", spot=SPOT, rate=RATE)
    result = fit_american(AmericanTable(table), fit)
    return result.fit, result.surface


def as_european(path: Path) -> Fitted:
    """Fit the quotes as if they were European."""
    surface = clean(read_quotes(path, exercise="european", spot=SPOT, rate=RATE))
    return fit(surface, None), surface


def row(name: str, fit_chain: Callable[[Path], Fitted], paths: list[Path]) -> str:
    """Return a line of the table."""
    truth = np.array(list(TRUTH.as_mapping().values()))
    values, covered, forward_errors = [], [], []
    for path in paths:
        result, surface = fit_chain(path)
        low, high = np.array(list(result.intervals().values())).T
        values.append(list(result.parameters.values()))
        covered.append((low <= truth) & (truth <= high))
        years = np.array([f.maturity_years for f in surface.forwards])
        forwards = np.array([f.forward for f in surface.forwards])
        exact = SPOT * np.exp((RATE - DIVIDEND_YIELD) * years)
        forward_errors.append(float(np.max(np.abs(forwards / exact - 1.0))))
    means = " | ".join(f"{mean:.3f}" for mean in np.mean(values, axis=0))
    points = 1e4 * np.array(forward_errors)
    return (
        f"| {name} | {means} | {np.mean(covered):.0%} | {np.median(points):.1f} | "
        f"{points.max():.1f} |"
    )


def main() -> None:
    """Print the table."""
    n_chains = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    names = " | ".join(f"mean {name}" for name in TRUTH.as_mapping())
    print(f"| fitted as | {names} | in 95% intervals | median, bp | largest, bp |")
    print("|---" * 8 + "|")
    exact = exact_quotes()
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{seed}.csv" for seed in range(n_chains)]
        for seed, path in enumerate(paths):
            write_chain(exact, seed, path)
        print(row("American", as_american, paths), flush=True)
        print(row("European", as_european, paths), flush=True)


if __name__ == "__main__":
    main()
