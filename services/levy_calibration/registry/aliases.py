"""The champion and the challenger of each model."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from levy_calibration.registry.artifact import read_small
from levy_numerics.errors import InvalidInputError
from levy_surfaces.atomic_files import write_atomically

Alias = Literal["champion", "challenger"]
ALIASES: Final[tuple[Alias, ...]] = ("champion", "challenger")
Stamp = tuple[int, ...] | None
"""Identifies the content of a file; None if it does not exist."""
_FILE: Final = "aliases.json"
_Change = Annotated[Mapping[Literal["alias", "from", "to"], str | None], Field(min_length=3)]


class _Document(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(strict=True)

    champion: str | None
    challenger: str | None
    history: tuple[_Change, ...]


@dataclass(frozen=True)
class Aliases:
    """Versions of a model's networks by alias, and the history of changes.

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
        """Return the aliases in a model's folder, empty if nothing was promoted."""
        path = folder / _FILE
        try:
            document = _Document.model_validate_json(read_small(path))
        except FileNotFoundError:
            return cls()
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise InvalidInputError(f"{path} is not a file of aliases: {reason}") from None
        except (OSError, ValueError) as error:
            raise InvalidInputError(f"{path} is not a file of aliases: {error}") from None
        history = ({str(key): value for key, value in c.items()} for c in document.history)
        return cls(document.champion, document.challenger, tuple(history))

    @staticmethod
    def stamp(folder: Path) -> Stamp:
        """Return a stamp that changes with the file, by which readers avoid parsing it again."""
        try:
            status = (folder / _FILE).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def write(self, folder: Path) -> None:
        """Write the file atomically."""
        document = {
            "champion": self.champion,
            "challenger": self.challenger,
            "history": [dict(change) for change in self.history],
        }
        write_atomically(folder / _FILE, (json.dumps(document, indent=1) + "\n").encode())

    def version(self, alias: Alias) -> str | None:
        """Return the version with the alias."""
        return self.champion if alias == "champion" else self.challenger

    def changed(self, alias: Alias, version: str | None) -> "Aliases":
        """Return aliases in which `version` has the alias."""
        change = {"alias": alias, "from": self.version(alias), "to": version}
        result = replace(self, history=(*self.history, change))
        if alias == "champion":
            return replace(result, champion=version)
        return replace(result, challenger=version)

    def rolled_back(self, alias: Alias) -> "Aliases":
        """Return aliases without the latest change of an alias.

        Raises
        ------
        InvalidInputError
            There is no earlier version.
        """
        for i in range(len(self.history) - 1, -1, -1):
            change = self.history[i]
            if change["alias"] == alias:
                break
        else:
            raise InvalidInputError(f"no {alias} has been promoted; there is nothing to roll back")
        if alias == "champion" and change["from"] is None:
            raise InvalidInputError("there is no earlier champion to roll back to")
        result = self.changed(alias, change["from"])
        history = (*self.history[:i], *self.history[i + 1 :])
        return replace(result, history=history)
