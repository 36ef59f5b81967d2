"""`levy inspect`."""

import argparse

from levy_cli.cleaned import CleanedQuotes
from levy_cli.output import console, print_json, refuse_unwritable, show_warnings
from levy_surfaces.printable import printable


def run(options: argparse.Namespace) -> int:
    """Print how the quotes are read, what is dropped, and what is not plausible."""
    refuse_unwritable(options.plot, inputs=[options.quotes])
    quotes = CleanedQuotes.of(options)
    if options.plot:
        from levy_cli.reports.quotes import write_quotes_report

        write_quotes_report(quotes, options.plot)
    if options.json:
        print_json({**quotes.as_document(), "warnings": [*quotes.surface.warnings]})
        return 0
    out = console()
    quotes.show(out, columns=True)
    show_warnings(out, quotes.surface.warnings)
    if options.plot:
        out.print(f"Report written to {printable(options.plot)}")
    return 0
