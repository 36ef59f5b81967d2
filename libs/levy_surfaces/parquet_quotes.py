"""Read quotes from Parquet; imported on first use, because pyarrow takes a third of a second."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from levy_numerics.errors import InvalidInputError
from levy_surfaces import quote_files
from levy_surfaces.quote_columns import DATES, Requirements, is_unnamed, locate_columns, refuse


def parquet_pieces(path: Path, requirements: Requirements) -> Iterator[pd.DataFrame]:
    """Yield the columns of `COLUMNS` in a Parquet file, an index of pandas among them.

    Raises
    ------
    InvalidInputError
        The file is damaged, too large, or a column has a type that cannot be a quote's.
    """
    try:
        schema = pq.read_schema(path)
        texts = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_binary(f.type)]
        # As dictionaries, long values that are repeated many times stay as small as in the file.
        with pq.ParquetFile(path, read_dictionary=texts, page_checksum_verification=True) as file:
            yield from _pieces(path, file, requirements)
    except InvalidInputError:
        raise
    except (pa.ArrowException, KeyError, ValueError, TypeError, MemoryError, OSError) as error:
        if getattr(error, "errno", None) is not None:
            raise
        refuse(path, f"is damaged, or not a Parquet file: {_first_line(error)}")


def _pieces(path: Path, file: Any, requirements: Requirements) -> Iterator[pd.DataFrame]:
    schema = file.schema_arrow
    positions = locate_columns(path, schema.names, requirements)
    _check_unnamed(path, schema)
    names = {name: schema.names[k] for name, k in positions.items()}
    for name, k in positions.items():
        _check_type(path, name, schema.field(k).type)
    _check_size(path, file.metadata)
    first = 1
    for batch in file.iter_batches(batch_size=quote_files.PIECE_ROWS, columns=[*names.values()]):
        index = pd.RangeIndex(first, first + batch.num_rows)
        first += batch.num_rows
        yield pd.DataFrame(
            {
                name: _values(path, name, batch.column(own)).set_axis(index)
                for name, own in names.items()
            },
            index=index,
        )


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
    return "text" if name in {"underlying", "root", "option_type", "settlement"} else "numbers"


def _check_size(path: Path, metadata: Any) -> None:
    if metadata.num_rows > quote_files.MAX_ROWS:
        refuse(path, f"more than {quote_files.MAX_ROWS:,} rows; split the file by date")
    # The sizes of single columns would be closer, but pyarrow aborts the process where those of a
    # damaged file are inconsistent.
    groups = (metadata.row_group(k) for k in range(metadata.num_row_groups))
    if sum(max(group.total_byte_size, 0) for group in groups) > quote_files.MAX_CHARACTERS:
        refuse(
            path,
            f"more than {quote_files.MAX_CHARACTERS:,} bytes before compression; split the file by "
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
    if (pc.max(pc.binary_length(array)).as_py() or 0) > quote_files.MAX_VALUE_CHARACTERS:
        refuse(
            path,
            f"column {name} has a value longer than {quote_files.MAX_VALUE_CHARACTERS:,} bytes",
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
