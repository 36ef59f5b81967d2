"""The registry of trained networks: list, load, promote and roll back."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final, Self

from levy_calibration.networks.trained import TrainedNetwork
from levy_calibration.registry.aliases import Alias, Aliases, Stamp
from levy_calibration.registry.artifact import MANIFEST, Artifact
from levy_numerics.errors import InvalidInputError, LevyError
from levy_surfaces.synthetic.ranges import model_names

PACKAGED: Final = Path(__file__).parents[1] / "trained"
"""Networks that are installed with the engine."""
_RETRY_SECONDS: Final = 10.0
"""Time before an invalid network is verified again, and between scans of the folder, which both
take milliseconds."""


@dataclass
class Registry:
    """A folder of artifacts, `model/version/`, and of aliases, `model/aliases.json`.

    A change of alias takes effect at the next call, without a restart. A champion whose files do
    not match its manifest does not replace the one in use. Other invalid artifacts are skipped.

    Attributes
    ----------
    root : Path
    rejected : dict
        Why the network with an alias is not in use, by (model, alias).
    clock : callable
        A monotonic clock, in seconds.
    """

    root: Path
    rejected: dict[tuple[str, Alias], str] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    _loaded: dict[tuple[str, Alias], TrainedNetwork] = field(default_factory=dict, repr=False)
    _attempts: dict[tuple[str, Alias], tuple[str, float]] = field(default_factory=dict, repr=False)
    _aliases: dict[str, tuple[Stamp, Aliases]] = field(default_factory=dict, repr=False)
    _verified: dict[Path, tuple[object, str]] = field(default_factory=dict, repr=False)
    _skipped: tuple[float, dict[str, str]] = field(default=(-math.inf, {}), repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @classmethod
    def open(cls, root: str | Path | None = None) -> Self:
        """Open a folder; by default that of the installed networks.

        Raises
        ------
        InvalidInputError
            The folder does not exist.
        """
        folder = PACKAGED if root is None else Path(root)
        if not folder.is_dir():
            raise InvalidInputError(f"{folder} is not a folder of trained networks")
        return cls(folder)

    def models(self) -> tuple[str, ...]:
        """Return the names of the engine's models with networks."""
        folders = {path.parents[1].name for path in self.root.glob(f"*/*/{MANIFEST}")}
        return tuple(sorted(folders & set(model_names())))

    def artifacts(self, model: str | None = None) -> Iterator[Artifact]:
        """Yield all artifacts with a valid manifest, or those of a model, by name."""
        for folder in self._folders(model or "*"):
            with suppress(InvalidInputError):
                yield Artifact.read(folder)

    def skipped(self) -> dict[str, str]:
        """Return why networks are not available, by `model/version` or `model/alias`.

        The folder is scanned again after `_RETRY_SECONDS`; files are hashed again if they changed.
        """
        now = self.clock()
        if now - self._skipped[0] >= _RETRY_SECONDS:
            folders = self._folders("*")
            reasons = {f"{path.parent.name}/{path.name}": self._reason(path) for path in folders}
            self._skipped = now, {name: reason for name, reason in reasons.items() if reason}
        aliases = {f"{model}/{alias}": reason for (model, alias), reason in self.rejected.items()}
        return self._skipped[1] | aliases

    def _folders(self, model: str) -> list[Path]:
        return sorted(path for path in self.root.glob(f"{model}/*") if not path.is_file())

    def _reason(self, folder: Path) -> str:
        """Return why an artifact is invalid; empty if it is valid."""
        stamp = _stamp(folder)
        if folder not in self._verified or self._verified[folder][0] != stamp:
            try:
                Artifact.read(folder).verify()
                reason = ""
            except LevyError as error:
                reason = error.message
            self._verified[folder] = stamp, reason
        return self._verified[folder][1]

    def artifact(self, model: str, version: str) -> Artifact:
        """Return an artifact by its version, or by its network if that is unique.

        Raises
        ------
        InvalidInputError
            No artifact matches, several match, or the artifact is invalid.
        """
        if version in (folder.name for folder in self._folders(model)):
            return Artifact.read(self.root / model / version)
        artifacts = list(self.artifacts(model))
        matching = [a for a in artifacts if a.network == version]
        if len(matching) != 1:
            reason = "several networks match" if matching else "no network matches"
            names = ", ".join(a.version for a in matching or artifacts) or "none"
            raise InvalidInputError(f"{model}: {reason} {version!r}; available: {names}")
        return matching[0]

    def aliases(self, model: str) -> Aliases:
        """Return a model's aliases, read again only if the file has changed."""
        folder = self.root / model
        stamp = Aliases.stamp(folder)
        cached = self._aliases.get(model)
        if cached is None or cached[0] != stamp:
            self._aliases[model] = cached = stamp, Aliases.read(folder)
        return cached[1]

    def champion(self, model_type: str) -> TrainedNetwork | None:
        """Return the network in use for a model, or None."""
        return self._current(model_type, "champion")

    def challenger(self, model_type: str) -> TrainedNetwork | None:
        """Return the challenger of a model, or None."""
        return self._current(model_type, "challenger")

    def promote(self, model: str, version: str, alias: Alias = "champion") -> Aliases:
        """Set an alias to an artifact, after verifying and loading it."""
        artifact = self.artifact(model, version)
        artifact.load()
        changed = self.aliases(model).changed(alias, artifact.version)
        changed.write(self.root / model)
        return changed

    def rollback(self, model: str, alias: Alias = "champion") -> Aliases:
        """Set an alias to its previous version."""
        changed = self.aliases(model).rolled_back(alias)
        if (previous := changed.version(alias)) is not None:
            self.artifact(model, previous).load()
        changed.write(self.root / model)
        return changed

    def _current(self, model: str, alias: Alias) -> TrainedNetwork | None:
        key = (model, alias)
        with self._lock:
            try:
                self._update(key)
            except LevyError as error:
                self.rejected[key] = error.message
                if key not in self._loaded:
                    raise
            else:
                self.rejected.pop(key, None)
            return self._loaded.get(key)

    def _update(self, key: tuple[str, Alias]) -> None:
        """Load the network with the alias; the previous one is in use until that is done."""
        model, alias = key
        version = self.aliases(model).version(alias)
        loaded = self._loaded.get(key)
        if version is None:
            self._loaded.pop(key, None)
            return
        if loaded is not None and loaded.version == version:
            return
        attempted, attempted_at = self._attempts.get(key, (None, 0.0))
        is_recent = self.clock() - attempted_at < _RETRY_SECONDS
        if attempted == version and key in self.rejected and is_recent:
            raise InvalidInputError(self.rejected[key])
        self._attempts[key] = (version, self.clock())
        self._loaded[key] = self.artifact(model, version).load()


def _stamp(folder: Path) -> object:
    """Return a value that changes with the files of a folder."""
    try:
        status = [(path.name, path.lstat()) for path in sorted(folder.iterdir())]
    except OSError as error:
        return str(error)
    return [(name, s.st_ino, s.st_mtime_ns, s.st_size) for name, s in status]
