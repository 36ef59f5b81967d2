"""Read tables of text: delimiter, header line and encoding are recognised."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import IO, Final

import pandas as pd

from levy_surfaces import file_limits
from levy_surfaces.formats.names import squeezed
from levy_surfaces.formats.recognise import HEADER_LINES, MIN_KNOWN_NAMES, n_known_names
from levy_surfaces.printable import printable, shortened
from levy_surfaces.quote_columns import is_unnamed, refuse
from levy_surfaces.table_notes import is_note

_DELIMITERS: Final = (",", ";", "\t", "|")
_BOMS: Final = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
_SAMPLE_BYTES: Final = 400
_NUL_SHARE: Final = 0.3
"""Share of NUL bytes in every other place that shows UTF-16 without a mark."""


class CsvTable:
    """A table of delimited text, each row checked against the header and the limits.

    Attributes
    ----------
    header : list of str
    preamble : list of str
        Lines above the header.
    warnings : list of str
        Complete once all pieces are read.
    """

    row_unit = "line"

    def __init__(self, path: Path, binary: IO[bytes], names: Sequence[str] = ()) -> None:
        """Read up to the header.

        Parameters
        ----------
        path : Path
            For messages.
        binary : binary file
            Decompressed.
        names : sequence of str
            Names of columns that the user gives.
        """
        self._path = path
        self._named = {squeezed(name) for name in names}
        self.warnings: list[str] = []
        self._ends_in_line_break = True
        self._other_encoding = ""
        self._lines = self._read_lines(_decoded(binary))
        first = list(islice(self._lines, HEADER_LINES))
        start, self._delimiter = self._find_header(first)
        self.preamble = [line.strip() for line in first[:start]]
        self._n_before = start
        self._lines = chain(first[start:], self._lines)
        self._rows = self._read_rows()
        _, header = next(self._rows, (0, None))
        if header is None:
            refuse(path, "the file is empty")
        self.header: list[str] = header

    @property
    def description(self) -> str:
        """The delimiter and encoding, where they are not commas and UTF-8."""
        named = {";": "semicolons", "\t": "tabs", "|": "bars"}
        parts = [f"separated by {named[self._delimiter]}"] if self._delimiter in named else []
        parts += [self._other_encoding] if self._other_encoding else []
        return ", ".join(parts)

    def pieces(self, positions: Sequence[int]) -> Iterator[pd.DataFrame]:
        """Yield text of some columns, by position, indexed by line number."""
        unnamed = [k for k, name in enumerate(self.header) if is_unnamed(name)]
        numbers: list[int] = []
        kept: list[list[str]] = []
        row: list[str] = []
        notes: list[tuple[int, str]] = []
        for number, raw in self._rows:
            if raw == self.header:
                self.warnings.append(f"line {number} repeats the header and is not read")
                continue
            if is_note(raw, len(self.header)) and self._ends_in_line_break:
                notes.append((number, next(filter(str.strip, raw)).strip()))
                continue
            if notes:
                refuse(
                    self._path,
                    f"line {notes[0][0]} has only the text '{shortened(notes[0][1])}', as a title "
                    "of a section: write its content in a column of each row below it, or remove "
                    "the line",
                    row=notes[0][0],
                )
            row = self._checked(number, raw, unnamed)
            numbers.append(number)
            kept.append([row[k] for k in positions])
            if max(map(len, kept[-1]), default=0) > file_limits.MAX_VALUE_CHARACTERS:
                refuse(
                    self._path,
                    f"line {number} has a value longer than "
                    f"{file_limits.MAX_VALUE_CHARACTERS:,} characters",
                    row=number,
                )
            if len(kept) == file_limits.PIECE_ROWS:
                yield _text_frame(numbers, kept, positions)
                numbers, kept = [], []
        self.warnings += [
            f"line {k} below the quotes is not read: '{shortened(text)}'" for k, text in notes
        ]
        self._last = (number, row) if row and not self._ends_in_line_break else None
        yield _text_frame(numbers, kept, positions)

    def warn_of_cut(self, positions: Mapping[str, int]) -> None:
        """Warn if the table ends without a line break; its last row may then be incomplete."""
        if self._last is None:
            return
        number, row = self._last
        values = [
            f"{name} {shortened(row[positions[name]])}"
            for name in ("strike", "option_type")
            if name in positions
        ]
        last = f"last field {shortened(row[-1]) or 'blank'}"
        self.warnings.append(
            f"{printable(self._path.name)} ends without a line break: if it was cut short, "
            f"its last row may be incomplete (line {number}: {', '.join([*values, last])})"
        )

    def _find_header(self, lines: Sequence[str]) -> tuple[int, str]:
        """Return the line with most known names of columns, and its delimiter."""
        best, start, delimiter = MIN_KNOWN_NAMES - 1, -1, ","
        for candidate in _DELIMITERS:
            for k, line in enumerate(lines):
                count = n_known_names(_fields(line, candidate), self._named)
                if count > best:
                    best, start, delimiter = count, k, candidate
        if start >= 0:
            return start, delimiter
        first = next((line for line in lines if line.strip()), "")
        return 0, max(_DELIMITERS, key=lambda d: len(_fields(first, d)))

    def _read_rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield line number and fields of each line that is not blank, the header first."""
        path = self._path
        reader = csv.reader(
            self._lines, strict=True, delimiter=self._delimiter, skipinitialspace=True
        )
        previous = n_blank = 0
        try:
            for row in reader:
                number = reader.line_num + self._n_before
                if reader.line_num != previous + 1:
                    refuse(
                        path,
                        f"line {previous + 1 + self._n_before}: a quotation mark is not closed on "
                        "its line",
                    )
                previous = reader.line_num
                if not any(map(str.strip, row)):
                    n_blank += 1
                    if n_blank > file_limits.MAX_BLANK_LINES:
                        refuse(
                            path,
                            f"more than {file_limits.MAX_BLANK_LINES:,} blank lines in a row "
                            f"(line {number})",
                        )
                    continue
                n_blank = 0
                yield number, row
        except csv.Error as error:
            number = reader.line_num + self._n_before
            refuse(path, f"line {number}: could not parse as CSV: {error}")

    def _read_lines(self, text: io.TextIOWrapper) -> Iterator[str]:
        path, longest = self._path, file_limits.MAX_LINE_CHARACTERS
        n_lines = n_characters = 0
        with text:
            while line := text.readline(longest + 1):
                n_lines += 1
                n_characters += len(line)
                if len(line) > longest:
                    refuse(
                        path,
                        f"line {n_lines} is longer than {longest:,} characters",
                    )
                if n_lines > file_limits.MAX_ROWS + 1:
                    refuse(
                        path, f"more than {file_limits.MAX_ROWS:,} lines; split the file by date"
                    )
                if n_characters > file_limits.MAX_CHARACTERS:
                    refuse(
                        path,
                        f"more than {file_limits.MAX_CHARACTERS:,} characters of text; split the "
                        "file by date",
                    )
                if "\0" in line:
                    refuse(path, f"line {n_lines} contains a NUL character: the file is damaged")
                self._ends_in_line_break = line.endswith(("\n", "\r"))
                yield line if line.isascii() else self._in_utf8(line)

    def _in_utf8(self, line: str) -> str:
        """Return a line, decoded as Windows-1252 where it is not UTF-8."""
        try:
            line.encode()
        except UnicodeEncodeError:
            raw = line.encode(errors="surrogateescape")
            self._other_encoding = "encoded as Windows-1252 (Latin-1)"
            try:
                return raw.decode("cp1252")
            except UnicodeDecodeError:
                return raw.decode("latin-1")
        return line

    def _checked(self, number: int, row: list[str], unnamed: list[int]) -> list[str]:
        """Return a row that has as many fields as the header, and names where there is text."""
        width = len(self.header)
        if len(row) != width:
            cut = len(row) < width and not self._ends_in_line_break
            reason = "; the file ends there: it was probably cut short" if cut else ""
            refuse(
                self._path,
                f"line {number} has {len(row)} fields, the header has {width}{reason}",
                row=number,
            )
        for k in unnamed:
            if not _is_blank_or_integer(row[k]):
                refuse(
                    self._path,
                    f"line {number}: column {k + 1} has text and no name; name it (underlying, for "
                    "example), or remove it",
                    row=number,
                )
        return row


def _decoded(binary: IO[bytes]) -> io.TextIOWrapper:
    """Return the text of a file in UTF-8, or UTF-16; other bytes are escaped as surrogates."""
    buffered = io.BufferedReader(binary) if isinstance(binary, io.RawIOBase) else binary
    start = buffered.peek(_SAMPLE_BYTES)[:_SAMPLE_BYTES] if hasattr(buffered, "peek") else b""
    encoding = next((name for mark, name in _BOMS.items() if start.startswith(mark)), "utf-8")
    if encoding == "utf-8" and len(start) >= 4:
        half = len(start) // 2
        if start[1::2].count(0) > _NUL_SHARE * half:
            encoding = "utf-16-le"
        elif start[::2].count(0) > _NUL_SHARE * half:
            encoding = "utf-16-be"
    errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
    return io.TextIOWrapper(buffered, encoding=encoding, errors=errors, newline="")


def _fields(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []


def _is_blank_or_integer(text: str) -> bool:
    digits = text.strip()
    return not digits or (digits.isascii() and digits.isdigit())


def _text_frame(
    numbers: list[int], rows: list[list[str]], positions: Sequence[int]
) -> pd.DataFrame:
    """Return fields of the rows, which are in the order of `positions`."""
    columns = {position: [row[k] for row in rows] for k, position in enumerate(positions)}
    return pd.DataFrame(columns, index=numbers, columns=list(positions), dtype="str")
