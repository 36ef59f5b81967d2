"""Read tables of Arrow data: Parquet, Arrow (Feather) files, and data frames.

Imported on first use, because pyarrow takes a third of a second.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from levy_numerics.errors import InvalidInputError
from levy_surfaces import file_limits
from levy_surfaces.quote_columns import DATES, NUMBERS, is_unnamed, refuse


class ArrowTable:
    """A Parquet or Arrow file, or a data frame that exports Arrow data, such as those of Polars.

    Attributes
    ----------
    header : list of str
    preamble, warnings : list
        Empty.
    """

    row_unit = "row"
    description = ""

    def __init__(
        self, path: Path, source: Any, kind: Literal["parquet", "arrow", "stream"]
    ) -> None:
        """Read the schema.

        Parameters
        ----------
        path : Path
            For messages.
        source : path, bytes or object with `__arrow_c_stream__`
        kind : {"parquet", "arrow", "stream"}
        """
        self._path, self._source, self._kind = path, source, kind
        self.preamble: list[str] = []
        self.warnings: list[str] = []
        with _refusing_damage(path):
            self._schema = self._read_schema()
        self.header: list[str] = self._schema.names
        _check_unnamed(path, self._schema)

    def check_types(self, positions: Mapping[str, int]) -> None:
        """Raise `InvalidInputError` if the type of a column cannot be a quote's."""
        for name, k in positions.items():
            _check_type(self._path, name, self._schema.field(k).type)

    def pieces(self, positions: Sequence[int]) -> Iterator[pd.DataFrame]:
        """Yield text or numbers of some columns, by position, indexed by row number."""
        first = 1
        with _refusing_damage(self._path):
            for batch in self._batches(positions):
                index = pd.RangeIndex(first, first + batch.num_rows)
                first += batch.num_rows
                if first > file_limits.MAX_ROWS:
                    _refuse_rows(self._path)
                yield pd.DataFrame(
                    {
                        position: _values(
                            self._path, self.header[position], batch.column(k)
                        ).set_axis(index)
                        for k, position in enumerate(positions)
                    },
                    index=index,
                )

    def warn_of_cut(self, positions: Mapping[str, int]) -> None:
        """Do nothing: a table that is cut short cannot be read."""

    def _read_schema(self) -> Any:
        if self._kind == "stream":
            self._source = pa.table(self._source)
            return self._source.schema
        with self._reader() as reader:
            if self._kind == "parquet":
                return pq.read_schema(reader)
            return pa.ipc.open_file(reader).schema

    def _reader(self) -> Any:
        is_bytes = isinstance(self._source, bytes)
        return pa.BufferReader(self._source) if is_bytes else pa.OSFile(str(self._source))

    def _batches(self, positions: Sequence[int]) -> Iterator[Any]:
        if self._kind == "stream":
            table = self._source.select(list(positions)).combine_chunks()
            yield from table.to_batches(max_chunksize=file_limits.PIECE_ROWS)
        elif self._kind == "arrow":
            with self._reader() as reader:
                file = pa.ipc.open_file(reader)
                for k in range(file.num_record_batches):
                    yield file.get_batch(k).select(list(positions))
        else:
            yield from self._parquet_batches(positions)

    def _parquet_batches(self, positions: Sequence[int]) -> Iterator[Any]:
        t = pa.types
        texts = [f.name for f in self._schema if t.is_string(f.type) or t.is_binary(f.type)]
        # As dictionaries, long values that are repeated many times stay as small as in the file.
        options = {"read_dictionary": texts, "page_checksum_verification": True}
        with self._reader() as reader, pq.ParquetFile(reader, **options) as file:
            _check_size(self._path, file.metadata)
            columns = [self.header[k] for k in positions]
            yield from file.iter_batches(batch_size=file_limits.PIECE_ROWS, columns=columns)


@contextmanager
def _refusing_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except InvalidInputError:
        raise
    except (pa.ArrowException, KeyError, ValueError, TypeError, MemoryError, OSError) as error:
        if getattr(error, "errno", None) is not None:
            raise
        refuse(path, f"is damaged, or not a Parquet or Arrow file: {_first_line(error)}")


def _check_unnamed(path: Path, schema: Any) -> None:
    for name, kind in zip(schema.names, schema.types, strict=True):
        if is_unnamed(name) and not (pa.types.is_integer(kind) or pa.types.is_null(kind)):
            refuse(
                path,
                f"there is an index or column without a name of type {kind}; name it "
                "(underlying, for example), or remove it (reset_index(drop=True) in pandas)",
            )


def _check_type(path: Path, name: str, kind: Any) -> None:
    t = pa.types
    value = kind.value_type if t.is_dictionary(kind) else kind
    is_text = t.is_string(value) or t.is_large_string(value) or t.is_string_view(value)
    is_bytes = t.is_binary(value) or t.is_large_binary(value) or t.is_fixed_size_binary(value)
    is_number = t.is_integer(value) or t.is_floating(value) or t.is_decimal(value)
    is_date = t.is_timestamp(value) or t.is_date(value)
    usable = is_text or is_bytes or t.is_null(value) or is_number
    if name in DATES:
        usable = usable or is_date
    if not usable:
        refuse(path, f"column {name} has type {kind}, not {_expected(name)}", column=name)


def _expected(name: str) -> str:
    if name in DATES:
        return "dates"
    return "numbers" if name in NUMBERS else "text"


def _refuse_rows(path: Path) -> NoReturn:
    refuse(path, f"more than {file_limits.MAX_ROWS:,} rows; split the file by date")


def _check_size(path: Path, metadata: Any) -> None:
    if metadata.num_rows > file_limits.MAX_ROWS:
        _refuse_rows(path)
    # The sizes of single columns would be closer, but pyarrow aborts the process where those of a
    # damaged file are inconsistent.
    groups = (metadata.row_group(k) for k in range(metadata.num_row_groups))
    if sum(max(group.total_byte_size, 0) for group in groups) > file_limits.MAX_CHARACTERS:
        refuse(
            path,
            f"more than {file_limits.MAX_CHARACTERS:,} bytes before compression; split the file by "
            "date, or keep only the columns of quotes",
        )


def _values(path: Path, name: str, array: Any) -> pd.Series:
    t = pa.types
    if t.is_dictionary(array.type):
        _check_text_length(path, name, array.dictionary)
        array = array.dictionary_decode()
    _check_text_length(path, name, array)
    if (
        t.is_binary(array.type)
        or t.is_large_binary(array.type)
        or t.is_fixed_size_binary(array.type)
    ):
        array = array.cast(pa.binary()).cast(pa.string())
    if t.is_decimal(array.type) or t.is_float16(array.type):
        array = array.cast(pa.float64())
    if t.is_timestamp(array.type) or t.is_date(array.type):
        return _iso_texts(array)
    if t.is_null(array.type):
        return pd.Series([""] * len(array), dtype="str")
    if t.is_integer(array.type) and array.null_count == 0:
        return pd.Series(array.to_numpy(zero_copy_only=False))
    values: pd.Series = array.to_pandas()
    return values if values.dtype.kind in "fiub" else values.fillna("").astype("str")


def _check_text_length(path: Path, name: str, array: Any) -> None:
    t = pa.types
    kinds = (t.is_string, t.is_large_string, t.is_binary, t.is_large_binary)
    if not any(is_kind(array.type) for is_kind in kinds):
        return
    array.validate(full=True)
    if (pc.max(pc.binary_length(array)).as_py() or 0) > file_limits.MAX_VALUE_CHARACTERS:
        refuse(
            path,
            f"column {name} has a value longer than {file_limits.MAX_VALUE_CHARACTERS:,} bytes",
            column=name,
        )


def _iso_texts(array: Any) -> pd.Series:
    """Return ISO 8601 text, with the time zone's name in brackets where the column has one."""
    zone = getattr(array.type, "tz", None) or ""
    suffix = f"[{zone}]" if "/" in zone else ""
    codes, times = pd.factorize(array.to_pandas())
    is_date = pa.types.is_date(array.type)
    texts = [(time.isoformat()[:10] if is_date else time.isoformat()) + suffix for time in times]
    return pd.Series(np.array([*texts, ""], dtype=object)[codes], dtype="str")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
