"""Limits of files of quotes, which bound the memory and the time that reading takes."""

from typing import Final

MAX_CHARACTERS: Final = 2**30
"""Characters of a CSV file after decompression, and bytes of an Arrow table before compression."""
MAX_ROWS: Final = 10_000_000
MAX_LINE_CHARACTERS: Final = 16_384
MAX_VALUE_CHARACTERS: Final = 1_000
"""Limit of one value in a column that is read."""
MAX_BLANK_LINES: Final = 100_000
"""Consecutive; a few hundred kilobytes of compressed data can hold hundreds of millions."""
MAX_SHEET_BYTES: Final = 64 * 2**20
"""Of an Excel workbook, which is read whole."""
PIECE_ROWS: Final = 20_000
