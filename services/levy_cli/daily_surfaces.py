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
from levy_surfaces.quote_files import TABLE_SUFFIXES, QuoteFile
from levy_surfaces.reading import files_by_day, read_quotes
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
        days = list(days_of(options))
        chosen = np.unique(np.linspace(0, len(days) - 1, min(most, len(days))).round().astype(int))
        surfaces, skipped = [], []
        for day in (days[k] for k in chosen):
            try:
                surface = day.cleaned().surface
            except LevyError as error:
                skipped.append(f"{day.name} is left out: {error.message}")
                continue
            surfaces.append(DatedQuotes(surface.quote_date or day.name, surface.quotes))
        if not surfaces:
            reason = f": {skipped[0]}" if skipped else ""
            raise InvalidInputError(f"{options.quotes} contains no surface{reason}")
        return cls(tuple(sorted(surfaces, key=lambda s: s.name)), tuple(skipped))


@dataclass(frozen=True)
class Day:
    """A day of a file of quotes, to be read when it is needed.

    Attributes
    ----------
    options : Namespace
        Those of the command, which select the file and the day.
    file : QuoteFile, optional
        Of the rows of the day, if the file has dates.
    """

    options: argparse.Namespace
    file: QuoteFile | None = None

    @property
    def name(self) -> str:
        """Return the date, or the name of a file without dates."""
        return str(self.options.date or Path(self.options.quotes).name)

    def cleaned(self) -> CleanedQuotes:
        """Read and clean the quotes of the day.

        Raises
        ------
        LevyError
            The file cannot be used.
        """
        return CleanedQuotes.of(self.options, file=self.file)


def days_of(options: argparse.Namespace) -> Iterator[Day]:
    """Yield each day of `options.quotes`, a file or a folder of files, file by file.

    Raises
    ------
    InvalidInputError
        The folder contains no file of quotes.
    """
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
        if options.date is not None:
            yield Day(of_file)
            continue
        try:
            by_day = files_by_day(quote_file(of_file))
        except LevyError:
            by_day = {}  # `Day.cleaned` raises again
        if not by_day:
            yield Day(of_file)
        for day, file in by_day.items():
            yield Day(argparse.Namespace(**vars(of_file) | {"date": day}), file)
