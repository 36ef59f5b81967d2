"""`levy inspect`."""

import argparse
from dataclasses import replace
from typing import Final

from levy_cli.cleaned import CleanedQuotes
from levy_cli.output import console, print_json, refuse_unwritable, show_warnings
from levy_cli.quote_options import quote_file
from levy_numerics.errors import InvalidInputError
from levy_surfaces.printable import printable

_OPTION_OF: Final = {"quote_date": "--date", "underlying": "--underlying"}
"""Options that choose between several values of a column."""


def run(options: argparse.Namespace) -> int:
    """Print how the quotes are read, what is dropped, and what is not plausible."""
    refuse_unwritable(options.plot, inputs=[options.quotes])
    quotes, choices = _cleaned(options)
    if options.plot:
        from levy_cli.reports.quotes import write_quotes_report

        write_quotes_report(quotes, options.plot)
    if options.json:
        warnings = [*choices, *quotes.surface.warnings]
        print_json({**quotes.as_document(), "warnings": warnings})
        return 0
    out = console()
    quotes.show(out, columns=True)
    show_warnings(out, [*choices, *quotes.surface.warnings])
    if options.plot:
        out.print(f"Report written to {printable(options.plot)}")
    return 0


def _cleaned(options: argparse.Namespace) -> tuple[CleanedQuotes, list[str]]:
    """Return the quotes, of the last date and underlying of several, and notes of the choice."""
    file, choices = quote_file(options), list[str]()
    while True:
        try:
            return CleanedQuotes.of(options, file=file), choices
        except InvalidInputError as error:
            column, values = str(error.details.get("column")), error.details.get("values")
            if not isinstance(values, list) or column not in _OPTION_OF:
                raise
            if column == "quote_date" and file.quote_date is None:
                file = replace(file, quote_date=values[-1])
            elif column == "underlying" and options.underlying is None:
                options.underlying = values[-1]
            else:
                raise
            choices.append(
                f"the file has {len(values)} values of {column}; {values[-1]} is shown "
                f"({_OPTION_OF[column]} chooses another)"
            )
