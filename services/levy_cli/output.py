"""Output formatting: JSON or tables."""

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from levy_surfaces.printable import printable

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console
    from rich.table import Table

    from levy_schemas.jobs import OptionPrediction, ParameterSummary
    from levy_surfaces.summary import ExpirySummary

_TERMINAL_CONTROLS: Final = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that JSON does not escape although terminals interpret them."""

POSTERIOR_COLUMNS: Final = (
    *("mean", "sd", "median", "95% interval"),
    *("R-hat", "bulk ESS", "tail ESS"),
)
PREDICTED_COLUMNS: Final = (
    *("mean", "median", "95% of prices", "95% of quotes"),
    *("implied vol", "95% of vols"),
)
EXPIRY_COLUMNS: Final = (*("quotes", "forward", "rate", "yield", "strikes", "ATM vol"),)


def print_json(result: "BaseModel | dict[str, Any]") -> None:
    """Print one JSON document, as HTTP would return it but without a request id.

    Raises
    ------
    OSError
        Standard output cannot be written; the error names the file.
    """
    document = (
        result
        if isinstance(result, dict)
        else result.model_dump(mode="json", exclude={"request_id"})
    )
    text = json.dumps(document, allow_nan=False, ensure_ascii=False)
    try:
        sys.stdout.write(_TERMINAL_CONTROLS.sub(lambda c: f"\\u{ord(c[0]):04x}", text) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, _stdout_name()) from error


def _stdout_name() -> str:
    """Return the path of the file that standard output is redirected to, where /proc has it."""
    try:
        return str(Path(f"/proc/self/fd/{sys.stdout.fileno()}").readlink())
    except OSError:
        return "standard output"


def refuse_unwritable(*targets: str | None, inputs: Sequence[str | None] = ()) -> None:
    """Raise if an output file cannot be written, before a long computation.

    Parameters
    ----------
    *targets : str or None
        Output files; None for an output that is not requested.
    inputs : sequence of str or None
        Input files, which no output may replace.

    Raises
    ------
    InvalidInputError
        A folder does not exist or is read-only, a target is a folder, or two names are the same
        file.
    """
    from levy_numerics.errors import InvalidInputError

    used = {os.path.realpath(name): "is read as input" for name in inputs if name}
    for target in filter(None, targets):
        path = Path(os.path.realpath(target))
        if not path.parent.is_dir():
            raise InvalidInputError(f"{target}: its folder does not exist; create it")
        if path.is_dir():
            raise InvalidInputError(f"{target} is a folder; name a file in it")
        if not os.access(path.parent, os.W_OK) and not _is_device(path):
            raise InvalidInputError(f"{target}: its folder is not writable; choose another")
        if str(path) in used and not _is_device(path):
            raise InvalidInputError(f"{target} {used[str(path)]}; choose another name")
        used[str(path)] = "is also another output"


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file()


def show_warnings(out: "Console", warnings: Sequence[str]) -> None:
    """Print each warning on its own line."""
    from rich.text import Text

    for warning in warnings:
        out.print(Text.assemble(("Note:", "yellow"), " ", sentence(printable(warning))))


def vol_points(error: float | None) -> str:
    """Format an error of implied volatility in vol points; a dash if it is undefined."""
    return "–" if error is None else f"{100 * error:.2f}"


def sentence(text: str) -> str:
    """Capitalise the first letter only."""
    return text[:1].upper() + text[1:]


def console(*, stderr: bool = False) -> "Console":
    """Return a console, which writes plain text 160 characters wide to files and pipes.

    Markup and emoji codes are disabled, since text of quote files may look like them.
    """
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 160
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=width)


def table(
    *,
    left: Sequence[str] = (),
    right: Sequence[str] = (),
    last: Sequence[str] = (),
    title: str = "",
) -> "Table":
    """Return an empty table with columns of text, numbers (right-aligned), and text."""
    from rich import box
    from rich.table import Table

    result = Table(
        box=box.SIMPLE_HEAD,
        title=title or None,
        title_justify="left",
        title_style="bold",
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for name in left:
        result.add_column(name, no_wrap=True)
    for name in right:
        result.add_column(name, justify="right", no_wrap=True)
    for name in last:
        result.add_column(name)
    return result


def expiry_cells(line: "ExpirySummary") -> tuple[str, ...]:
    """Return the cells of `EXPIRY_COLUMNS` for one expiry."""
    forward = line.forward
    return (
        str(line.n_quotes),
        f"{forward.forward:.7g}",
        f"{forward.rate:.2%}",
        "" if line.dividend_yield is None else f"{line.dividend_yield:.2%}",
        f"{line.strike_low:g}…{line.strike_high:g}",
        "" if line.atm_vol is None else f"{line.atm_vol:.2%}",
    )


def posterior_cells(parameter: "ParameterSummary") -> tuple[str, ...]:
    """Return the cells of `POSTERIOR_COLUMNS`; a dash for undefined values."""
    low, high = parameter.interval
    return (
        f"{parameter.mean:.5g}",
        f"{parameter.sd:.2g}",
        _or_dash(parameter.median, ".5g"),
        f"{low:.5g} to {high:.5g}",
        _or_dash(parameter.r_hat, ".3f"),
        _or_dash(parameter.ess_bulk, ".0f"),
        _or_dash(parameter.ess_tail, ".0f"),
    )


def option_name(option: "OptionPrediction") -> str:
    """Return the description of an option."""
    return f"{option.option_type} {option.strike:g}, {option.maturity:.4f} years"


def predicted_cells(option: "OptionPrediction") -> tuple[str, ...]:
    """Return the cells of `PREDICTED_COLUMNS`; a dash for undefined values."""
    low, high = option.implied_vol_interval
    return (
        f"{option.mean:.5g}",
        f"{option.median:.5g}",
        _range(*option.interval),
        "–" if option.quote_interval is None else _range(*option.quote_interval),
        _or_dash(option.implied_vol, ".2%"),
        f"{_or_dash(low, '.2%')} to {_or_dash(high, '.2%')}",
    )


def _range(low: float, high: float) -> str:
    return f"{low:.5g} to {high:.5g}"


def _or_dash(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
