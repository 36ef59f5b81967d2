"""Read CSV and Parquet files of quotes in pieces, within limits of size, rows and line length."""

import csv
import gzip
import io
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, TextIO, cast

import pandas as pd

from levy_surfaces.printable import printable, shortened
from levy_surfaces.quote_columns import Requirements, is_unnamed, locate_columns, refuse

MAX_CHARACTERS: Final = 2**30
"""Characters of a CSV file after decompression, and bytes of a Parquet file before compression."""
MAX_ROWS: Final = 10_000_000
MAX_LINE_CHARACTERS: Final = 16_384
MAX_VALUE_CHARACTERS: Final = 1_000
"""Limit of one value in a column that is read."""
MAX_BLANK_LINES: Final = 100_000
"""Consecutive; a few hundred kilobytes of compressed data can hold hundreds of millions."""
PIECE_ROWS: Final = 20_000

CSV_SUFFIXES: Final = (".csv", ".csv.gz")
PARQUET_SUFFIXES: Final = (".parquet", ".pq")
_FOREIGN: Final = {
    b"\x1f\x8b": "is gzip data; name it .csv.gz",
    b"PK\x03\x04": "is a ZIP archive or an Excel workbook; save the sheet as CSV (UTF-8)",
    b"PAR1": "is a Parquet file; name it .parquet",
    b"\xff\xfe": "is UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text; save it as UTF-8",
}


@dataclass
class QuoteFile:
    """A file of quotes, read a piece at a time.

    Attributes
    ----------
    path : Path
    warnings : list of str
        Of the reader; complete once all pieces are read.
    """

    path: Path
    warnings: list[str] = field(default_factory=list)

    @property
    def is_csv(self) -> bool:
        """Whether the name is that of a CSV file, compressed or not."""
        return self.path.name.lower().endswith(CSV_SUFFIXES)

    @property
    def row_unit(self) -> str:
        """Unit of row numbers: lines of CSV (the header is line 1), rows of Parquet."""
        return "line" if self.is_csv else "row"

    def pieces(self, requirements: Requirements) -> Iterator[pd.DataFrame]:
        """Yield the columns of `COLUMNS` that the file has, indexed by line or row number.

        Values are text in CSV; in Parquet they are text or numbers, and dates are ISO text.

        Raises
        ------
        InvalidInputError
            The file cannot be read, exceeds a limit, or its header lacks a column.
        """
        with _refusing(self.path):
            self._check_kind()
            if self.is_csv:
                yield from self._csv_pieces(requirements)
            else:
                from levy_surfaces.parquet_quotes import parquet_pieces

                yield from parquet_pieces(self.path, requirements)

    def _check_kind(self) -> None:
        if not self.is_csv and self.path.suffix.lower() not in PARQUET_SUFFIXES:
            refuse(self.path, "quotes are read from .csv, .csv.gz or .parquet")
        mode = self.path.stat().st_mode
        if stat.S_ISDIR(mode):
            refuse(self.path, "is a folder; name a file")
        if not stat.S_ISREG(mode):
            refuse(self.path, "is not a regular file; copy its content to one")
        with self.path.open("rb") as file:
            start = file.read(4)
        if not start:
            refuse(self.path, "the file is empty")
        if self.path.name.lower().endswith(".csv"):
            for magic, complaint in _FOREIGN.items():
                if start.startswith(magic):
                    refuse(self.path, complaint)

    def _csv_pieces(self, requirements: Requirements) -> Iterator[pd.DataFrame]:
        with self._binary() as binary:
            text = io.TextIOWrapper(binary, encoding="utf-8-sig", newline="")
            yield from _CsvRows(self, text).pieces(requirements)

    def _binary(self) -> IO[bytes]:
        if self.path.name.lower().endswith(".gz"):
            return cast("IO[bytes]", gzip.open(self.path))
        return self.path.open("rb")


class _CsvRows:
    """Rows of one CSV file, each checked against the header and the limits."""

    def __init__(self, file: QuoteFile, text: TextIO) -> None:
        self._file, self._text = file, text
        self._ends_in_line_break = True

    def pieces(self, requirements: Requirements) -> Iterator[pd.DataFrame]:
        rows = self._rows()
        _, header = next(rows, (0, None))
        if header is None:
            refuse(self._file.path, "the file is empty")
        positions = locate_columns(self._file.path, header, requirements)
        unnamed = [k for k, name in enumerate(header) if is_unnamed(name)]
        numbers: list[int] = []
        kept: list[list[str]] = []
        row: list[str] = []
        for number, row in rows:
            self._check_row(number, row, header, unnamed)
            numbers.append(number)
            kept.append([row[k] for k in positions.values()])
            if max(map(len, kept[-1])) > MAX_VALUE_CHARACTERS:
                refuse(
                    self._file.path,
                    f"line {number} has a value longer than {MAX_VALUE_CHARACTERS:,} characters",
                    row=number,
                )
            if len(kept) == PIECE_ROWS:
                yield _text_frame(numbers, kept, positions)
                numbers, kept = [], []
        if row and not self._ends_in_line_break:
            self._warn_of_cut(number, row, positions)
        yield _text_frame(numbers, kept, positions)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield line number and fields of each line that is not blank."""
        path = self._file.path
        reader = csv.reader(self._lines(), strict=True)
        previous = n_blank = 0
        try:
            for row in reader:
                number = reader.line_num
                if number != previous + 1:
                    refuse(path, f"line {previous + 1}: a quotation mark is not closed on its line")
                previous = number
                if not any(map(str.strip, row)):
                    n_blank += 1
                    if n_blank > MAX_BLANK_LINES:
                        refuse(
                            path,
                            f"more than {MAX_BLANK_LINES:,} blank lines in a row (line {number})",
                        )
                    continue
                n_blank = 0
                yield number, row
        except csv.Error as error:
            refuse(path, f"line {reader.line_num}: could not parse as CSV: {error}")

    def _lines(self) -> Iterator[str]:
        path = self._file.path
        n_lines = n_characters = 0
        while line := self._text.readline(MAX_LINE_CHARACTERS + 1):
            n_lines += 1
            n_characters += len(line)
            if len(line) > MAX_LINE_CHARACTERS:
                refuse(path, f"line {n_lines} is longer than {MAX_LINE_CHARACTERS:,} characters")
            if n_lines > MAX_ROWS + 1:
                refuse(path, f"more than {MAX_ROWS:,} lines; split the file by date")
            if n_characters > MAX_CHARACTERS:
                refuse(
                    path, f"more than {MAX_CHARACTERS:,} characters of text; split the file by date"
                )
            if "\0" in line:
                refuse(
                    path,
                    f"line {n_lines} contains a NUL character: the file is damaged, or UTF-16 text "
                    "that must be saved as UTF-8",
                )
            self._ends_in_line_break = line.endswith(("\n", "\r"))
            yield line

    def _check_row(
        self, number: int, row: list[str], header: list[str], unnamed: list[int]
    ) -> None:
        path = self._file.path
        if len(row) != len(header):
            cut = len(row) < len(header) and not self._ends_in_line_break
            reason = "; the file ends there: it was probably cut short" if cut else ""
            refuse(
                path,
                f"line {number} has {len(row)} fields, the header has {len(header)}{reason}",
                row=number,
            )
        for k in unnamed:
            if not _is_blank_or_integer(row[k]):
                refuse(
                    path,
                    f"line {number}: column {k + 1} has text and no name; name it (underlying, for "
                    "example), or remove it",
                    row=number,
                )

    def _warn_of_cut(self, number: int, row: list[str], positions: dict[str, int]) -> None:
        strike, kind = (shortened(row[positions[name]]) for name in ("strike", "option_type"))
        self._file.warnings.append(
            f"{printable(self._file.path.name)} ends without a line break: if it was cut short, "
            f"its last row may be incomplete (line {number}: strike {strike}, option_type {kind}, "
            f"last field {shortened(row[-1]) or 'blank'})"
        )


def _is_blank_or_integer(text: str) -> bool:
    digits = text.strip()
    return not digits or (digits.isascii() and digits.isdigit())


def _text_frame(
    numbers: list[int], rows: list[list[str]], positions: dict[str, int]
) -> pd.DataFrame:
    """Return fields of the rows, which are in the order of `positions`."""
    columns = {name: [row[k] for row in rows] for k, name in enumerate(positions)}
    return pd.DataFrame(columns, index=numbers, dtype="str")


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn what readers raise on a damaged or unreadable file into `InvalidInputError`."""
    try:
        yield
    except UnicodeError as error:
        refuse(path, f"is not UTF-8 text ({error}); save it as UTF-8")
    except EOFError:
        refuse(path, "the compressed data end too early: the file was cut short; copy it again")
    except (gzip.BadGzipFile, zlib.error) as error:
        refuse(path, f"the compressed data are damaged ({error}); copy the file again")
    except OSError as error:
        refuse(path, f"cannot be read: {error.strerror or error}")
