"""Cleaned surfaces of a file or a folder, a day each, or of the synthetic sample."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from levy_cli.cleaned import CleanedQuotes
from levy_cli.quote_options import quote_file
from levy_numerics.errors import InvalidInputError, LevyError
from levy_surfaces.cleaning import clean
from levy_surfaces.quote_files import TABLE_SUFFIXES
from levy_surfaces.reading import quote_days, read_quotes
from levy_surfaces.sample import sample_chain
from levy_validation import DatedQuotes

SAMPLE: Final = "synthetic sample"


@dataclass(frozen=True)
class DailySurfaces:
    """Surfaces in the order of time, and the days that could not be used.

    Attributes
    ----------
    surfaces : tuple of DatedQuotes
    skipped : tuple of str
        A sentence for each.
    """

    surfaces: tuple[DatedQuotes, ...]
    skipped: tuple[str, ...] = ()

    @classmethod
    def of(cls, options: argparse.Namespace, most: int) -> "DailySurfaces":
        """Read the quotes of `--quotes`, at most so many days evenly spread; else the sample.

        Raises
        ------
        InvalidInputError
            No surface can be used.
        """
        if options.quotes is None:
            surface = clean(read_quotes(sample_chain()))
            return cls((DatedQuotes(SAMPLE, surface.quotes),))
        days = list(_days(options))
        chosen = np.unique(np.linspace(0, len(days) - 1, min(most, len(days))).round().astype(int))
        surfaces, skipped = [], []
        for selected in (days[k] for k in chosen):
            name = selected.date or Path(selected.quotes).name
            try:
                surface = CleanedQuotes.of(selected).surface
            except LevyError as error:
                skipped.append(f"{name} is left out: {error.message}")
                continue
            surfaces.append(DatedQuotes(surface.quote_date or name, surface.quotes))
        if not surfaces:
            reason = f": {skipped[0]}" if skipped else ""
            raise InvalidInputError(f"{options.quotes} contains no surface{reason}")
        return cls(tuple(sorted(surfaces, key=lambda s: s.name)), tuple(skipped))


def _days(options: argparse.Namespace) -> Iterator[argparse.Namespace]:
    """Yield the options that select each day of each file."""
    path = Path(options.quotes)
    files = [path]
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.name.lower().endswith(TABLE_SUFFIXES))
        if not files:
            raise InvalidInputError(
                f"{path} contains no file of quotes ({', '.join(TABLE_SUFFIXES)})"
            )
    for name in files:
        of_file = argparse.Namespace(**vars(options) | {"quotes": str(name)})
        is_dated = options.date is not None
        days = [options.date] if is_dated else quote_days(quote_file(of_file))
        for day in days or [None]:
            yield argparse.Namespace(**vars(of_file) | {"date": day})
