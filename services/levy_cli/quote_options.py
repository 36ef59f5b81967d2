"""Options of the commands that read quotes: the file, how it is written, and what is selected."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from levy_cli import arguments
from levy_surfaces.printable import shortened

if TYPE_CHECKING:
    from levy_surfaces.quote_files import QuoteFile

T = TypeVar("T")

_QUOTES_HELP = (
    "file of quotes: CSV with any delimiter (also .gz or .zip), Excel, Parquet or Arrow, or - for "
    "standard input"
)
_REQUIRED_COLUMNS = (
    "Required columns: strike; option_type (or an option symbol, or columns of calls and puts); "
    "expiry, maturity_years or days_to_expiry; bid and ask, mid, last or implied_vol; quote_date "
    "(or --date) unless maturities are given. Layouts of Yahoo, Cboe, optionsDX, OptionMetrics and "
    "Deribit, and usual synonyms, are recognised: levy inspect FILE shows how a file is read."
)


def _add_reading(command: argparse.ArgumentParser) -> None:
    """Add the options that state what a file lacks or how it is written."""
    group = command.add_argument_group("how the file is read", _REQUIRED_COLUMNS)
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
        help="european (default) or american: levy calibrate then subtracts the early-exercise "
        "premium of the fitted model",
    )
    group.add_argument(
        "--currency",
        metavar="CODE",
        help="currency of the prices; underlying for premiums in units of the underlying",
    )


def add_quotes(command: argparse.ArgumentParser) -> None:
    """Add the file of quotes."""
    command.add_argument("quotes", type=arguments.path, help=_QUOTES_HELP)


def add_weights(command: argparse.ArgumentParser) -> None:
    """Add `--weights`."""
    command.add_argument(
        "--weights",
        choices=("price", "vega", "bid_ask"),
        help="unit of the errors: price, implied volatility (vega) or spread (bid_ask); by default "
        "bid_ask where every quote has bid and ask, else vega",
    )


def add_series(command: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add what identifies quotes as they are read; return the group of options that select."""
    _add_reading(command)
    selection = command.add_argument_group("selection of quotes")
    selection.add_argument(
        "--date",
        metavar="DATE",
        help="quote date if the file has several or none (2024-07-01), or date and time if it has "
        "several snapshots of one day (2024-07-01T10:00)",
    )
    selection.add_argument("--underlying", help="underlying if the file has several")
    selection.add_argument(
        "--expiry-time",
        metavar="TIME",
        help="time of day at which options expire, where quotes have a time and expiries are "
        "dates: 16:00 (default, in the time zone of the quotes), 16:00-04:00, or "
        "'16:00 America/New_York'; AM-settled options expire at 09:30",
    )
    return selection


def add_selection(command: argparse.ArgumentParser) -> None:
    """Add what selects quotes, as they are read and as they are cleaned."""
    selection = add_series(command)
    selection.add_argument(
        "--min-maturity",
        type=arguments.tenor,
        default=0.0,
        metavar="T",
        help="shortest maturity, in years or as a tenor such as 2w",
    )
    selection.add_argument(
        "--max-maturity",
        type=arguments.tenor,
        default=float("inf"),
        metavar="T",
        help="longest maturity, in years or as a tenor such as 1Y",
    )
    selection.add_argument(
        "--min-moneyness", type=arguments.not_negative, default=0.0, metavar="K/F"
    )
    selection.add_argument(
        "--max-moneyness", type=arguments.not_negative, default=float("inf"), metavar="K/F"
    )
    selection.add_argument(
        "--sides",
        choices=("prefer_otm", "otm", "all"),
        default="prefer_otm",
        help="which option sides to fit: OTM where available (default), OTM only, or all quotes",
    )
    selection.add_argument(
        "--forwards",
        choices=("parity", "given"),
        default="parity",
        help="source of forwards: put-call parity first (default), or the file's columns first",
    )


def stated(options: argparse.Namespace) -> list[str]:
    """Return the options that read and select quotes and differ from their defaults."""
    parser = argparse.ArgumentParser(add_help=False)
    add_selection(parser)
    return [
        f"--{name.replace('_', '-')}"
        for name, default in vars(parser.parse_args([])).items()
        if getattr(options, name) != default
    ]


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
