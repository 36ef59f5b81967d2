"""Generation of a data set of 100,000 surfaces × 200 prices, compared with its cost floor."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from levy_numerics.pricing.reference import lewis
from levy_surfaces.atomic_files import write_atomically
from levy_surfaces.synthetic import chunks
from levy_surfaces.synthetic.datasets import DataSet
from levy_surfaces.synthetic.executors import ProcessExecutor, SerialExecutor
from levy_surfaces.synthetic.generation import generate
from levy_surfaces.synthetic.grid import otm_contracts
from levy_surfaces.synthetic.layouts import Layout
from levy_surfaces.synthetic.manifest import Plan
from levy_surfaces.synthetic.ranges import sobol_models
from tests.benchmarks import peers_pyfeng, surface
from tests.benchmarks.report import Section, Size
from tests.benchmarks.timing import median_microseconds

MODELS: Final = ("VarianceGamma", "CGMY", "NIG", "Merton")
SURFACES: Final = 100_000
QUICK: Final = 2_000
COLUMNS: Final = (
    "generator",
    "layout",
    "surfaces",
    "processes",
    "seconds",
    "µs per surface",
    "MB",
    "max error / forward",
)
_PEERS: Final = {"VarianceGamma": "PyFENG VarGammaFft", "CGMY": "PyFENG CgmyFft"}
_CHECKED: Final = 20


def run(size: Size) -> Iterator[Section]:
    """Yield one table: each model, the cost without pricing, and the pricing of another library."""
    n, n_processes = (QUICK if size.quick else SURFACES), os.cpu_count() or 1
    section = Section(
        "Data sets: drawn, priced to 1e-8, written as Parquet", COLUMNS,
        note="floor: the same parameters drawn and as many given prices written; other libraries: "
        f"one process, pricing only; errors of {_CHECKED} surfaces relative to the reference",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for layout in ("grid", "scattered"):
            for name in MODELS:
                _add(section, Plan(name, n, layout=layout), Path(folder), n_processes)
        _add_floor(section, Plan(MODELS[0], n), Path(folder))
    for name, peer in _PEERS.items():
        took = _peer_microseconds(name, peer, 0.2 if size.quick else 2.0)
        section.add(peer, "grid", n, 1, took * n / 1e6, took, "", "")
    yield section


def _add(section: Section, plan: Plan, root: Path, n_processes: int) -> None:
    started = time.perf_counter()
    executor = (
        ProcessExecutor(n_processes) if min(n_processes, plan.n_chunks) > 1 else SerialExecutor()
    )
    manifest = generate(plan, root, executor=executor)
    seconds = time.perf_counter() - started
    folder = plan.folder(root)
    megabytes = sum((folder / name).stat().st_size for name in manifest.files) / 1e6
    section.add(
        plan.model, plan.layout, plan.size, n_processes, seconds, 1e6 * seconds / plan.size,
        megabytes, _error(root, plan.model, plan.layout, plan.seed),
    )  # fmt: skip


def _error(root: Path, name: str, layout: Layout, seed: int) -> float:
    """Return the largest error of every seventh price of some surfaces, over the forward."""
    part = next(DataSet.open(root, name, layout=layout, seed=seed).parts())
    surfaces, worst = part.surfaces, 0.0
    strikes, years = np.broadcast_arrays(surfaces.log_strike, surfaces.maturity_years)
    for k in np.linspace(0, surfaces.n_surfaces - 1, _CHECKED, dtype=int):
        there = np.flatnonzero(surfaces.present[k])[::7]
        row = k if len(strikes) > 1 else 0
        contracts = otm_contracts(strikes[row, there], years[row, there])
        exact = lewis.price(part.model.select(k), contracts).value
        worst = max(worst, float(np.abs(surfaces.price[k, there] - exact).max()))
    return worst


def _add_floor(section: Section, plan: Plan, root: Path) -> None:
    """Measure everything except pricing, in one process."""
    rng = np.random.default_rng(0)
    started = time.perf_counter()
    for number in range(plan.n_chunks):
        start, stop = plan.chunk_range(number)
        model = sobol_models(plan.model, stop - start, seed=plan.seed, start=start)
        prices = rng.integers(0, 2**31, (stop - start) * 200) * chunks.QUANTUM
        table = pa.table(
            {
                **model.as_mapping(),
                "price": pa.FixedSizeListArray.from_arrays(prices, 200),
            }
        )
        write_atomically(root / f"floor-{number}.parquet", chunks.as_parquet(table, plan.digest))
    seconds = time.perf_counter() - started
    section.add("floor", "grid", plan.size, 1, seconds, 1e6 * seconds / plan.size, "", "")


def _peer_microseconds(name: str, peer: str, seconds: float) -> float:
    price, sets = peers_pyfeng.surface_pricer(name, peer), surface.nearby_models(name, 16)
    turns = iter(range(10**9))
    return median_microseconds(lambda: price(sets[next(turns) % len(sets)]), seconds=seconds)
