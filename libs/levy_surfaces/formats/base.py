"""The declarative description of a vendor's layout."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Names = str | tuple[str, ...]
"""One column's name, or names of which the first that a table has is used."""


@dataclass(frozen=True)
class QuoteFormat:
    """How a vendor lays out a table of quotes.

    Names of columns are compared without case, blanks and punctuation.

    Attributes
    ----------
    name : str
        Name of the vendor and product.
    signature : tuple of str
        Columns that a table must have to be recognised; the format with most of them is used.
    columns : mapping of str to str or tuple of str
        For each column of the engine (`levy_surfaces.quote_columns`) the vendor's.
    calls, puts : mapping of str to str or tuple of str
        The same for tables with calls and puts on one row.
    strike_in_middle : bool
        Whether columns left of the strike are of calls and equally named ones on its right of puts.
    scale : mapping of str to float
        Factors that turn the vendor's numbers into the engine's units.
    preamble : callable, optional
        Returns columns that are constant, from the lines above the header.
    expiry_time : str
        Time of day, with offset, at which options expire whose symbol contains a date.
    missing : tuple of str
        Values that stand for a missing number.
    """

    name: str
    signature: tuple[str, ...]
    columns: Mapping[str, Names] = field(default_factory=dict)
    calls: Mapping[str, Names] = field(default_factory=dict)
    puts: Mapping[str, Names] = field(default_factory=dict)
    strike_in_middle: bool = False
    scale: Mapping[str, float] = field(default_factory=dict)
    preamble: Callable[[Sequence[str]], Mapping[str, str]] | None = None
    expiry_time: str = ""
    missing: tuple[str, ...] = ()
