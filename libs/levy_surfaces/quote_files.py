"""Open files of quotes by their content, and read them in the engine's columns, in pieces."""

import gzip
import io
import stat
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, Protocol, Self, cast

import pandas as pd

from levy_surfaces import file_limits
from levy_surfaces.csv_tables import CsvTable
from levy_surfaces.date_text import AmbiguousDatesError, DateStyle
from levy_surfaces.formats.layout import Layout, with_columns
from levy_surfaces.formats.names import squeezed
from levy_surfaces.formats.recognise import ENGINE_NAME, WIDE_NAME, is_known, recognise
from levy_surfaces.memory_tables import FrameTable, read_json, read_sheet
from levy_surfaces.number_text import AmbiguousNumbersError, NumberStyle, number_style
from levy_surfaces.printable import shortened
from levy_surfaces.quote_columns import (
    DATES,
    NUMBERS,
    Requirements,
    check_complete,
    check_unique,
    refuse,
)
from levy_surfaces.quote_settings import QuoteSettings

CSV_SUFFIXES: Final = (".csv", ".csv.gz")
PARQUET_SUFFIXES: Final = (".parquet", ".pq")
STANDARD_INPUT: Final = "-"

_GZIP, _ZIP, _PARQUET, _ARROW = b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"ARROW1"
_JSON_STARTS: Final = (b"{", b"[")
_JSON_SECONDS: Final = (b'"', b"{", b" ", b"\n", b"\r", b"\t", b"")
"""Characters after the first; [C_BID] is a header of CSV."""
_OLD_EXCEL: Final = b"\xd0\xcf\x11\xe0"
_BINARY_SUFFIXES: Final = {
    ".parquet": (_PARQUET, "a Parquet file"),
    ".pq": (_PARQUET, "a Parquet file"),
    ".feather": (_ARROW, "an Arrow file"),
    ".arrow": (_ARROW, "an Arrow file"),
    ".xlsx": (_ZIP, "an Excel workbook"),
}

TABLE_SUFFIXES: Final = (*CSV_SUFFIXES, ".zip", *_BINARY_SUFFIXES)
"""Ends of names of files that a folder of quotes may contain."""

QuoteSource = Any
"""Path of a file, `-` for standard input, or a data frame of pandas, Polars or pyarrow."""


class Table(Protocol):
    """A table of quotes as it is stored."""

    header: list[str]
    preamble: list[str]
    warnings: list[str]
    row_unit: str

    @property
    def description(self) -> str:
        """How the table is stored, for people; empty for the usual."""

    def pieces(self, positions: Sequence[int]) -> Iterator[pd.DataFrame]:
        """Yield values of some columns, by position, indexed by row number."""

    def warn_of_cut(self, positions: Mapping[str, int]) -> None:
        """Warn if the end of the table may be missing."""


@dataclass(frozen=True)
class _Retained:
    """Rows of a file, and the warnings of its reader."""

    pieces: tuple[pd.DataFrame, ...]
    warnings: tuple[str, ...]


@dataclass
class QuoteFile:
    """A file or data frame of quotes, read a piece at a time.

    Attributes
    ----------
    source : path, "-" or data frame
    settings : QuoteSettings
        Statements of the user.
    quote_date : str or None
        Date of all quotes, where the table has none.
    warnings : list of str
        Of the reader; complete once all pieces are read.
    layout : Layout or None
        How the table is laid out; known once a piece is read.
    description : str
        Kind of file, for people.
    row_unit : str
        What a row of the table is called.
    name : str
        Name of quotes without a path, for messages.
    """

    source: QuoteSource
    settings: QuoteSettings = field(default_factory=QuoteSettings)
    quote_date: str | None = None
    warnings: list[str] = field(default_factory=list)
    layout: Layout | None = None
    description: str = ""
    row_unit: str = "row"
    name: str = "standard input"
    _input: bytes | None = None
    _retained: _Retained | None = None

    @classmethod
    def in_memory(
        cls, content: bytes, name: str, settings: QuoteSettings, quote_date: str | None = None
    ) -> Self:
        """Return the file of the given content; `name` is its name in messages."""
        return cls(STANDARD_INPUT, settings, quote_date, name=name, _input=content)

    @property
    def is_frame(self) -> bool:
        """Whether the quotes are a data frame in memory."""
        return not isinstance(self.source, str | Path)

    @property
    def path(self) -> Path:
        """The file's path; a name for messages where the quotes are not in a file."""
        if self.is_frame:
            return Path("data frame")
        return Path(self.name) if self.source == STANDARD_INPUT else Path(self.source)

    def pieces(self, requirements: Requirements) -> Iterator[pd.DataFrame]:
        """Yield the engine's columns that the table has, indexed by line or row number.

        Values are text or numbers, and dates are ISO text.

        Raises
        ------
        InvalidInputError
            The file cannot be read, exceeds a limit, or its header lacks a column.
        """
        self.warnings.clear()
        if self._retained is not None:
            yield from self._retained.pieces
            self.warnings += self._retained.warnings
            return
        with _refusing(self.path), self._opened() as table:
            self.row_unit = table.row_unit
            yield from self._converted(table, requirements)

    def with_pieces(self, *pieces: pd.DataFrame) -> Self:
        """Return the file, which has been read, with these of its rows in memory."""
        return replace(self, warnings=[], _retained=_Retained(pieces, tuple(self.warnings)))

    def _converted(self, table: Table, requirements: Requirements) -> Iterator[pd.DataFrame]:
        named = {squeezed(label) for label in self.settings.columns.values()}
        candidates = [
            k
            for k, name in enumerate(table.header)
            if is_known(squeezed(name)) or squeezed(name) in named
        ]
        pieces = table.pieces(candidates)
        sample = next(pieces, pd.DataFrame(columns=candidates))
        layout = self._recognised(table, sample)
        labels = {name: source.label for name, source in layout.columns.items()}
        if layout.name == ENGINE_NAME or (layout.name == WIDE_NAME and layout.columns):
            check_unique(self.path, table.header, labels)
        available = layout.available | ({"quote_date"} if self.quote_date else set())
        check_complete(self.path, table.header, available, requirements)
        positions = {name: source.position for name, source in layout.sources}
        if hasattr(table, "check_types"):
            table.check_types(positions)
        self.layout = self._styled(layout, sample)
        self.description = table.description
        for piece in chain([sample], pieces):
            yield self.layout.convert(piece)
        table.warn_of_cut(positions)
        self.warnings += table.warnings

    def _recognised(self, table: Table, sample: pd.DataFrame) -> Layout:
        layout = recognise(table.header, table.preamble, sample)
        try:
            return with_columns(layout, table.header, self.settings.columns, self.settings.scale)
        except KeyError as error:
            header = ", ".join(shortened(name) for name in table.header[:20])
            refuse(self.path, f"has no column {error.args[0]} (the header has: {header})")

    def _styled(self, layout: Layout, sample: pd.DataFrame) -> Layout:
        """Return the layout with the way in which numbers and dates are written."""
        try:
            numbers = (
                NumberStyle(self.settings.decimal)
                if self.settings.decimal
                else number_style(layout.texts(sample, NUMBERS))
            )
        except AmbiguousNumbersError as error:
            refuse(self.path, f"{error}; pass --decimal comma or --decimal point")
        try:
            dates = DateStyle.of(self.settings.date_format, layout.texts(sample, DATES))
        except AmbiguousDatesError as error:
            refuse(
                self.path,
                f"{error}; pass --date-format dmy or mdy, or a pattern such as %d/%m/%Y",
            )
        return replace(layout, numbers=numbers, dates=dates)

    @contextmanager
    def _opened(self) -> Iterator[Table]:
        if isinstance(self.source, pd.DataFrame):
            yield FrameTable.of_pandas(self.source)
        elif self.is_frame:
            if not hasattr(self.source, "__arrow_c_stream__"):
                refuse(self.path, "quotes are a path, '-' or a data frame")
            from levy_surfaces.arrow_tables import ArrowTable

            yield ArrowTable(self.path, self.source, "stream")
        else:
            with self._binary() as binary:
                yield self._table_of(binary)

    def _binary(self) -> IO[bytes]:
        """Return the content of the file, which a reader may seek in."""
        if self.source == STANDARD_INPUT:
            if self._input is None:
                self._input = sys.stdin.buffer.read(file_limits.MAX_CHARACTERS + 1)
                if len(self._input) > file_limits.MAX_CHARACTERS:
                    refuse(self.path, f"more than {file_limits.MAX_CHARACTERS:,} bytes")
            return io.BufferedReader(cast("Any", io.BytesIO(self._input)))
        mode = self.path.stat().st_mode
        if stat.S_ISDIR(mode):
            refuse(self.path, "is a folder; name a file")
        if not stat.S_ISREG(mode):
            refuse(self.path, "is not a regular file; copy its content to one, or pipe it to -")
        return self.path.open("rb")

    def _table_of(self, binary: IO[bytes]) -> Table:
        start = binary.read(8)
        binary.seek(0)
        if not start:
            refuse(self.path, "the file is empty")
        suffix = self.path.suffix.lower()
        magic, kind = _BINARY_SUFFIXES.get(suffix, (b"", ""))
        if not start.startswith(magic):
            refuse(self.path, f"is damaged, or not {kind}")
        if start.startswith(_OLD_EXCEL):
            refuse(self.path, "is an Excel workbook of before 2007; save it as .xlsx or CSV")
        if start.startswith((_PARQUET, _ARROW)):
            from levy_surfaces.arrow_tables import ArrowTable

            is_parquet = start.startswith(_PARQUET)
            source = self._input if self.source == STANDARD_INPUT else self.path
            return ArrowTable(self.path, source, "parquet" if is_parquet else "arrow")
        names = [*self.settings.columns.values()]
        if start.startswith(_GZIP):
            return CsvTable(self.path, cast("IO[bytes]", gzip.open(binary)), names)
        if start.startswith(_ZIP):
            return self._unzipped(binary, names)
        if start.lstrip()[:1] in _JSON_STARTS and start.lstrip()[1:2] in _JSON_SECONDS:
            return read_json(self.path, binary)
        return CsvTable(self.path, binary, names)

    def _unzipped(self, binary: IO[bytes], names: Sequence[str]) -> Table:
        archive = zipfile.ZipFile(binary)
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if any(entry.filename == "[Content_Types].xml" for entry in entries):
            return read_sheet(self.path, binary)
        if len(entries) != 1:
            refuse(self.path, f"is a ZIP archive of {len(entries)} files; extract one")
        return CsvTable(self.path, io.BufferedReader(cast("Any", archive.open(entries[0]))), names)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn what readers raise on a damaged or unreadable file into `InvalidInputError`."""
    try:
        yield
    except UnicodeError as error:
        refuse(path, f"is not valid text ({error}); save it as UTF-8")
    except EOFError:
        refuse(path, "the compressed data end too early: the file was cut short; copy it again")
    except (gzip.BadGzipFile, zlib.error, zipfile.BadZipFile) as error:
        refuse(path, f"the compressed data are damaged ({error}); copy the file again")
    except OSError as error:
        refuse(path, f"cannot be read: {error.strerror or error}")
