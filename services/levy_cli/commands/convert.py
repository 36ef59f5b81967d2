"""`levy convert`."""

import argparse
from dataclasses import replace

import pandas as pd

from levy_cli.output import console, print_json, refuse_unwritable, show_warnings
from levy_cli.quote_options import quote_file
from levy_surfaces.printable import printable
from levy_surfaces.reading import quote_days, read_file
from levy_surfaces.writing import check_table_name, table_rows, write_rows


def run(options: argparse.Namespace) -> int:
    """Read the quotes of every date, and write them in the engine's columns."""
    refuse_unwritable(options.out, inputs=[options.quotes])
    check_table_name(options.out)
    file = quote_file(options)
    days: list[str | None] = [options.date]
    if options.date is None:
        days = [*quote_days(file)] or days
    tables = [
        read_file(
            replace(file, quote_date=day, warnings=[]),
            underlying=options.underlying,
            expiry_time=options.expiry_time,
        )
        for day in days
    ]
    rows = pd.concat([table_rows(table) for table in tables], ignore_index=True)
    write_rows(rows, options.out)
    warnings = [*dict.fromkeys(warning for table in tables for warning in table.warnings)]
    if options.json:
        print_json(
            {
                "file": options.out,
                "n_quotes": len(rows),
                "quote_dates": [table.quote_date for table in tables],
                "warnings": warnings,
            }
        )
        return 0
    out = console()
    out.print(f"{len(rows):,} quotes written to {printable(options.out)}", soft_wrap=True)
    show_warnings(out, warnings)
    return 0
