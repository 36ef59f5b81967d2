"""Tables that are in memory: Excel sheets, JSON records and data frames of pandas."""

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import IO, Final

import pandas as pd

from levy_surfaces import file_limits
from levy_surfaces.formats.recognise import HEADER_LINES, MIN_KNOWN_NAMES, n_known_names
from levy_surfaces.quote_columns import is_unnamed, refuse
from levy_surfaces.table_notes import is_note

_RECORDS_OF_API: Final = ("result", "results", "data")
"""Names of the array of records in responses of APIs."""


class FrameTable:
    """A table in memory, by columns.

    Attributes
    ----------
    header : list of str
    preamble, warnings : list of str
    row_unit : str
    """

    def __init__(
        self,
        path: Path,
        frame: pd.DataFrame,
        *,
        preamble: Sequence[str] = (),
        row_unit: str = "row",
    ) -> None:
        """Hold a frame whose index contains the row numbers and whose columns are positions."""
        self._path, self._frame = path, frame
        self.header = [str(name) for name in frame.columns]
        self._frame = frame.set_axis(range(frame.shape[1]), axis=1)
        self.preamble = list(preamble)
        self.warnings: list[str] = []
        self.row_unit = row_unit
        self.description = ""
        for k, name in enumerate(self.header):
            if is_unnamed(name) and not _are_numbers(self._frame[k]):
                refuse(
                    path,
                    f"column {k + 1} has text and no name; name it (underlying, for example), or "
                    "remove it",
                )

    @classmethod
    def of_pandas(cls, frame: pd.DataFrame) -> "FrameTable":
        """Return the table of a data frame; named levels of its index are columns."""
        if any(name is not None for name in frame.index.names):
            frame = frame.reset_index()
        return cls(Path("data frame"), frame.set_axis(range(1, len(frame) + 1), axis=0))

    def pieces(self, positions: Sequence[int]) -> Iterator[pd.DataFrame]:
        """Yield text or numbers of some columns, by position, indexed by row number."""
        if len(self._frame) > file_limits.MAX_ROWS:
            refuse(self._path, f"more than {file_limits.MAX_ROWS:,} rows; split the file by date")
        yield pd.DataFrame({k: _values(self._frame[k]) for k in positions}, index=self._frame.index)

    def warn_of_cut(self, positions: Mapping[str, int]) -> None:
        """Do nothing: a table in memory is complete."""


def read_sheet(path: Path, binary: IO[bytes]) -> FrameTable:
    """Return the first sheet of an Excel workbook that has quotes.

    Raises
    ------
    InvalidInputError
        The workbook is damaged or too large, or its sheets are empty.
    """
    size = sum(entry.file_size for entry in zipfile.ZipFile(binary).infolist())
    binary.seek(0)
    if size > 16 * file_limits.MAX_SHEET_BYTES:
        refuse(path, "the workbook is too large; save the sheet as CSV")
    sheets = _sheets(path, binary)
    headers = [
        (sheet, k) for sheet in sheets.values() for k in range(min(len(sheet), HEADER_LINES))
    ]
    counts = [n_known_names(sheet.iloc[k].tolist()) for sheet, k in headers]
    if max(counts, default=0) < MIN_KNOWN_NAMES:
        refuse(path, "no sheet of the workbook has a header with names of quote columns")
    sheet, k = headers[counts.index(max(counts))]
    rows = sheet.iloc[k + 1 :]
    notes = []
    while len(rows) and is_note([_text(value) for value in rows.iloc[-1]], rows.shape[1]):
        notes.append(f"line {k + 1 + len(rows)} below the quotes is not read")
        rows = rows.iloc[:-1]
    above = [" ".join(map(str, row)) for row in sheet.iloc[:k].to_numpy().tolist()]
    frame = rows.set_axis([str(v) for v in sheet.iloc[k]], axis=1)
    table = FrameTable(
        path, frame.set_axis(range(k + 2, k + 2 + len(rows)), axis=0), preamble=above
    )
    table.warnings += notes[::-1]
    return table


def read_json(path: Path, binary: IO[bytes]) -> FrameTable:
    """Return the records of a JSON document: an array of objects, or the response of an API.

    Nested objects become columns such as `details.strike_price`.

    Raises
    ------
    InvalidInputError
        The document is not valid, too large, or has no array of objects.
    """
    data = binary.read(file_limits.MAX_SHEET_BYTES + 1)
    if len(data) > file_limits.MAX_SHEET_BYTES:
        refuse(path, f"more than {file_limits.MAX_SHEET_BYTES:,} bytes of JSON; save it as CSV")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        refuse(path, f"is not valid JSON: {error}")
    keys = (key for key in _RECORDS_OF_API if isinstance(document, dict) and key in document)
    records = document.get(next(keys, "")) if isinstance(document, dict) else document
    if isinstance(records, dict):
        records = records.get("list")
    if not (isinstance(records, list) and records and all(isinstance(r, dict) for r in records)):
        refuse(
            path,
            "is JSON without an array of objects (as such, or as the value of result, results or "
            "data)",
        )
    frame = pd.json_normalize(records)
    return FrameTable(path, frame.set_axis(range(1, len(frame) + 1), axis=0))


def _sheets(path: Path, binary: IO[bytes]) -> dict[str, pd.DataFrame]:
    """Return the cells of all sheets, without headers."""
    try:
        return pd.read_excel(
            binary, sheet_name=None, header=None, dtype=object, engine="openpyxl", na_filter=False
        )
    except ImportError:
        refuse(path, "Excel workbooks need the package openpyxl; install it, or save as CSV")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, SyntaxError) as error:
        # openpyxl has no exception for damaged workbooks; SyntaxError is that of XML.
        first = (str(error).splitlines() or [type(error).__name__])[0]
        refuse(path, f"is damaged, or not an Excel workbook: {first}")


def _are_numbers(column: pd.Series) -> bool:
    texts = _values(column)
    if texts.dtype.kind in "iufb":
        return True
    return bool(texts.str.strip().str.fullmatch(r"\d*").all())


def _values(column: pd.Series) -> pd.Series:
    if column.dtype.kind in "fiu" and isinstance(column.dtype, type(pd.Series([0]).dtype)):
        return column
    return column.map(_text).astype("str")


def _text(value: object) -> str:
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return ""
    if isinstance(value, date):  # a datetime is one
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value)
