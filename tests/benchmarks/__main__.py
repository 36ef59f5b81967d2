"""Run the benchmarks: `make bench`, or `python -m tests.benchmarks --help`."""

import argparse
from pathlib import Path

from rich.console import Console

from tests.benchmarks import (
    calibration_speed,
    data_sets,
    gradients,
    growth,
    hybrid,
    implied_vol,
    network_inputs,
    optimum,
    pricing_speed,
    report,
)

SUITES = {
    "optimum": optimum.run,
    "pricing": pricing_speed.run,
    "growth": growth.run,
    "gradients": gradients.run,
    "implied_vol": implied_vol.run,
    "calibration": calibration_speed.run,
    "hybrid": hybrid.run,
    "data_sets": data_sets.run,
    "network_inputs": network_inputs.run,
}


def main() -> None:
    """Run the requested suites, print their tables and write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"one of {', '.join(SUITES)}")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, to test that the suites run"
    )
    parser.add_argument("--surfaces", type=int, default=100, help="random surfaces per model")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    arguments = parser.parse_args()
    unknown = set(arguments.suites) - set(SUITES)
    if unknown:
        parser.error(f"unknown suites: {', '.join(sorted(unknown))}")
    size = report.Size(quick=arguments.quick, surfaces=arguments.surfaces)
    console, sections = Console(), []
    for suite in arguments.suites or SUITES:
        for section in SUITES[suite](size):
            section.show(console)
            sections.append(section)
    report.write(sections, arguments.out)
    console.print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
