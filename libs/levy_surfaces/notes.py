"""Notes about the forwards of a surface, one sentence for each kind."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

MIN_PAIRS: Final = 5
"""Pairs below which a discount by parity is reported as resting on few."""

NoteKind = Literal[
    "assumed_discount",
    "uncertain_discount",
    "few_pairs",
    "crossed",
    "curved",
    "contradiction",
    "not_given",
    "interchanged",
    "units",
    "no_forward",
]

_HEADS: Final[Mapping[NoteKind, str]] = {
    "assumed_discount": "a discount factor of 1 is assumed, since neither the file nor put-call "
    "parity determines one; give a rate or discount column",
    "uncertain_discount": "the discount factor comes from put-call parity alone and is uncertain; "
    "give a rate or discount column",
    "few_pairs": f"the discount factor rests on fewer than {MIN_PAIRS} pairs of call and put, and "
    "nothing else confirms it",
    "crossed": "no forward satisfies put-call parity at bid and ask for all pairs: quotes are "
    "stale or the options are American",
    "curved": "call minus put is curved in the strike, where put-call parity of European options "
    "is a line: the options may be American, and the forward is then wrong",
    "contradiction": "put-call parity contradicts the file; wrong rates, dividends or forwards, "
    "or American exercise, are possible causes",
    "not_given": "the file gives no complete forward and discount, so put-call parity is used",
    "interchanged": "calls minus puts increase with the strike: calls and puts are interchanged, "
    "or prices are wrong",
    "units": "prices are not in the currency and unit of the strikes, since call minus put does "
    "not fall by a discount factor near 1 per unit of strike; convert them (prices in coin: "
    "multiply by the price of the underlying)",
    "no_forward": "no forward can be derived",
}


class Note(NamedTuple):
    """A remark about one series, for the user."""

    kind: NoteKind
    detail: str


def sentences(notes: Iterable[tuple[str, Note]]) -> tuple[str, ...]:
    """Return one sentence for each kind of note, with the first expiry that it holds for.

    Parameters
    ----------
    notes : iterable of (str, Note)
        The name of the expiry, and the note.
    """
    details: dict[NoteKind, list[str]] = defaultdict(list)
    for name, note in notes:
        details[note.kind].append(f"{name}: {note.detail}")
    return tuple(f"{_HEADS[kind]} ({first_of(each)})" for kind, each in details.items())


def first_of(details: Sequence[str]) -> str:
    """Return the first detail, and how many more there are."""
    return details[0] if len(details) == 1 else f"{details[0]}; and {len(details) - 1} more"
