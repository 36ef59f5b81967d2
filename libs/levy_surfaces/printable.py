"""Text of a file made safe to print on a terminal."""

from typing import Final

MAX_SHOWN: Final = 60
"""Characters of one value from a file that a message quotes."""


def printable(text: str) -> str:
    r"""Return the text with control, formatting and unassigned characters written as escapes.

    Terminals execute escape sequences, and bidirectional marks reorder what is shown. Line feeds
    are escaped as well, so that a value from a file never starts a line of its own.

    Examples
    --------
    >>> printable("SPX\x1b[31m")
    'SPX\\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shortened(text: str) -> str:
    """Return `printable` text of at most `MAX_SHOWN` characters, with an ellipsis if cut."""
    cut = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
    return printable(cut)
