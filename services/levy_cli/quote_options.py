"""Options of the commands that read quotes: what a file lacks, or how it is written."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from levy_cli import arguments
from levy_surfaces.printable import shortened

if TYPE_CHECKING:
    from levy_surfaces.quote_files import QuoteFile

T = TypeVar("T")

QUOTES_HELP = (
    "file of quotes: CSV with any delimiter (also .gz or .zip), Excel, Parquet or Arrow, or - for "
    "standard input"
)
REQUIRED_COLUMNS = (
    "Required columns: strike; option_type (or an option symbol, or columns of calls and puts); "
    "expiry, maturity_years or days_to_expiry; bid and ask, mid, last or implied_vol; quote_date "
    "(or --date) unless maturities are given. Layouts of Yahoo, Cboe, optionsDX, OptionMetrics and "
    "Deribit, and usual synonyms, are recognised: levy inspect FILE shows how a file is read."
)


def add_quote_options(command: argparse.ArgumentParser) -> None:
    """Add the options that state what a file lacks or how it is written."""
    group = command.add_argument_group("how the file is read", REQUIRED_COLUMNS)
    group.add_argument(
        "--columns",
        type=_assignments(str),
        default={},
        metavar="strike=K,bid=B,…",
        help="the file's names of columns; call_bid, put_ask and so on for one side",
    )
    group.add_argument(
        "--scale",
        type=_assignments(float),
        default={},
        metavar="strike=0.001,…",
        help="factors that convert columns to the engine's units",
    )
    group.add_argument(
        "--date-format",
        metavar="dmy|mdy|PATTERN",
        help="order of day and month where dates are ambiguous, or a pattern such as %%d.%%m.%%Y",
    )
    group.add_argument(
        "--decimal", choices=("point", "comma"), help="decimal separator where it is ambiguous"
    )
    group.add_argument("--spot", type=arguments.number, help="price of the underlying")
    group.add_argument(
        "--rate",
        type=_rate,
        help="continuous rate per year (0.025 or 2.5%%), or a CSV file of a zero curve (days or "
        "years, rate)",
    )
    group.add_argument(
        "--dividend",
        type=arguments.fraction,
        help="continuous dividend yield per year (0.019 or 1.9%%)",
    )
    group.add_argument(
        "--exercise",
        choices=("european", "american"),
        help="european (default); american options are refused",
    )
    group.add_argument(
        "--currency",
        metavar="CODE",
        help="currency of the prices; underlying for premiums in units of the underlying",
    )


def quote_file(options: argparse.Namespace) -> "QuoteFile":
    """Return the file of quotes that the command line names, with what it states about it.

    Raises
    ------
    InvalidInputError
        A statement contradicts itself, or the curve of rates cannot be read.
    """
    from levy_surfaces.quote_files import QuoteFile
    from levy_surfaces.quote_settings import QuoteSettings
    from levy_surfaces.rate_curves import RateCurve

    rate = options.rate
    settings = QuoteSettings(
        columns=options.columns,
        scale=options.scale,
        date_format=options.date_format,
        decimal=options.decimal,
        spot=options.spot,
        rate=RateCurve.read(rate) if isinstance(rate, str) else rate,
        dividend=options.dividend,
        exercise=options.exercise,
        currency=options.currency,
    )
    return QuoteFile(options.quotes, settings, options.date)


def _assignments(convert: Callable[[str], T]) -> Callable[[str], dict[str, T]]:
    """Return a parser of comma-separated `name=value` pairs."""

    def parse(text: str) -> dict[str, T]:
        pairs: dict[str, T] = {}
        for entry in text.split(","):
            name, equals, value = entry.partition("=")
            try:
                pairs[name.strip()] = convert(value.strip())
            except ValueError:
                equals = ""
            if not equals or not name.strip() or not value.strip():
                raise argparse.ArgumentTypeError(
                    f"'{shortened(text)}' is not a comma-separated list of NAME=VALUE"
                )
        return pairs

    return parse


def _rate(text: str) -> float | str:
    """Parse a rate, or return the path of a file."""
    try:
        return arguments.fraction(text)
    except argparse.ArgumentTypeError:
        if Path(arguments.path(text)).exists():
            return text
        raise argparse.ArgumentTypeError(
            f"'{shortened(text)}' is neither a number nor a file that exists"
        ) from None
