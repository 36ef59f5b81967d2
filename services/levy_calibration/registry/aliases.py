"""Which network of a model answers, and which is tried beside it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Self

from levy_numerics.errors import InvalidInputError
from levy_surfaces.atomic_files import write_atomically

Alias = Literal["champion", "challenger"]
ALIASES: Final[tuple[Alias, ...]] = ("champion", "challenger")
Stamp = tuple[int, ...] | None
"""What differs between two versions of a file; None where there is none."""
_FILE: Final = "aliases.json"


@dataclass(frozen=True)
class Aliases:
    """Versions by alias, and how they came to be so.

    Attributes
    ----------
    champion, challenger : str, or None
    history : tuple of mapping
        Every change: alias, from, to.
    """

    champion: str | None = None
    challenger: str | None = None
    history: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Those of the model whose folder this is; none where nothing was promoted."""
        path = folder / _FILE
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return cls(found["champion"], found["challenger"], tuple(found["history"]))
        except FileNotFoundError:
            return cls()
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise InvalidInputError(f"{path} does not tell the aliases: {error}") from None

    @staticmethod
    def stamp(folder: Path) -> Stamp:
        """What changes when they do: who reads them often need not read the same ones again."""
        try:
            status = (folder / _FILE).stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def write(self, folder: Path) -> None:
        """Write all of it or nothing."""
        document = {
            "champion": self.champion,
            "challenger": self.challenger,
            "history": [dict(change) for change in self.history],
        }
        write_atomically(folder / _FILE, (json.dumps(document, indent=1) + "\n").encode())

    def version(self, alias: Alias) -> str | None:
        """Who has the alias."""
        return self.champion if alias == "champion" else self.challenger

    def changed(self, alias: Alias, version: str | None) -> "Aliases":
        """Copy in which `version` has the alias."""
        change = {"alias": alias, "from": self.version(alias), "to": version}
        made = replace(self, history=(*self.history, change))
        if alias == "champion":
            return replace(made, champion=version)
        return replace(made, challenger=version)

    def rolled_back(self, alias: Alias) -> "Aliases":
        """Copy without the latest change of an alias.

        Raises
        ------
        InvalidInputError
            There is nothing to go back to.
        """
        for place in range(len(self.history) - 1, -1, -1):
            change = self.history[place]
            if change["alias"] == alias:
                break
        else:
            raise InvalidInputError(f"no {alias} was ever promoted: there is nothing to undo")
        if alias == "champion" and change["from"] is None:
            raise InvalidInputError("there was no champion before this one: nothing to undo")
        made = self.changed(alias, change["from"])
        kept = (*self.history[:place], *self.history[place + 1 :])
        return replace(made, history=kept)
