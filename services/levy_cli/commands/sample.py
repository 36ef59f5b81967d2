"""`levy sample`."""

import argparse

from levy_cli.output import console, refuse_unwritable
from levy_surfaces.printable import printable
from levy_surfaces.sample import SAMPLE_MODEL, SAMPLE_PARAMETERS, sample_chain
from levy_surfaces.writing import check_table_name, write_rows


def run(options: argparse.Namespace) -> int:
    """Write the synthetic chain."""
    refuse_unwritable(options.out)
    check_table_name(options.out)
    chain = sample_chain()
    write_rows(chain, options.out)
    listed = ", ".join(f"{name} = {value:g}" for name, value in SAMPLE_PARAMETERS.items())
    console().print(
        f"{len(chain)} synthetic quotes written to {printable(options.out)} "
        f"({SAMPLE_MODEL}: {listed})",
        soft_wrap=True,
    )
    return 0
