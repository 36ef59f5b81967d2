"""The table of results inside `docs/accuracy.md`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.check_prices.comparison import Tally

BEGIN: Final = "<!-- check-prices: begin -->"
END: Final = "<!-- check-prices: end -->"
_COLUMNS: Final = (
    "model",
    "options priced",
    "sets rejected",
    "largest error / forward",
    "largest true / stated error",
    "stated error above 1e-9",
    "violations",
    "undecided",
)


def write_table(page: Path, tallies: Mapping[str, Tally], seed: int) -> None:
    """Replace the text between the markers of the page by the table of results.

    Raises
    ------
    ValueError
        The page lacks a marker.
    """
    text = page.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{page} must contain {BEGIN} and {END} once each")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    page.write_text(f"{head}{BEGIN}\n{_table(tallies, seed)}\n{END}{tail}", encoding="utf-8")


def _table(tallies: Mapping[str, Tally], seed: int) -> str:
    rows = [f"| {name} | {' | '.join(_row(tally))} |" for name, tally in tallies.items()]
    options = sum(tally.options for tally in tallies.values())
    return "\n".join(
        [
            f"{options:,} options, seed {seed}.",
            "",
            f"| {' | '.join(_COLUMNS)} |",
            f"|---{'|---:' * (len(_COLUMNS) - 1)}|",
            *rows,
        ]
    )


def _row(tally: Tally) -> tuple[str, ...]:
    return (
        f"{tally.priced:,}",
        f"{tally.sets_refused:,}",
        f"{tally.largest_error:.1e}",
        f"{tally.largest_ratio:.2g}",
        f"{tally.stated_large:,}",
        f"{tally.violations + tally.silent_only + tally.crashes + tally.no_forward_priced:,}",
        f"{tally.undecided:,}",
    )
