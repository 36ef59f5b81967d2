"""Trained networks by model: listed, loaded once verified, promoted and rolled back."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final, Self

from levy_calibration.networks.trained import TrainedNetwork
from levy_calibration.registry.aliases import Alias, Aliases, Stamp
from levy_calibration.registry.artifact import MANIFEST, Artifact
from levy_numerics.errors import InvalidInputError, LevyError

PACKAGED: Final = Path(__file__).parents[1] / "trained"
"""Networks that come with the engine."""
_RETRY_SECONDS: Final = 10.0
"""How long a network that was refused is not looked at again: its hash costs milliseconds."""


@dataclass
class Registry:
    """A folder of artifacts, `model/version/`, and of aliases, `model/aliases.json`.

    A change of alias is seen at the next call, without a restart. A new champion that is refused,
    because a file is not what its manifest says, leaves the former one in place.

    Attributes
    ----------
    root : Path
    refused : dict
        Why an alias' network is not the one that answers, by (model, alias).
    clock : callable
        Seconds that never run backwards.
    """

    root: Path
    refused: dict[tuple[str, Alias], str] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    _loaded: dict[tuple[str, Alias], TrainedNetwork] = field(default_factory=dict, repr=False)
    _tried: dict[tuple[str, Alias], tuple[str, float]] = field(default_factory=dict, repr=False)
    _aliases: dict[str, tuple[Stamp, Aliases]] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @classmethod
    def open(cls, root: str | Path | None = None) -> Self:
        """Open a folder; by default that of the networks that come with the engine.

        Raises
        ------
        InvalidInputError
            There is no such folder.
        """
        folder = PACKAGED if root is None else Path(root)
        if not folder.is_dir():
            raise InvalidInputError(f"{folder} is no folder of trained networks")
        return cls(folder)

    def models(self) -> tuple[str, ...]:
        """Names of the models for which there are networks."""
        return tuple(sorted({path.parents[1].name for path in self.root.glob(f"*/*/{MANIFEST}")}))

    def artifacts(self, model: str | None = None) -> Iterator[Artifact]:
        """All artifacts, or those of a model, by name."""
        pattern = f"{model or '*'}/*/{MANIFEST}"
        return (Artifact.read(path.parent) for path in sorted(self.root.glob(pattern)))

    def artifact(self, model: str, version: str) -> Artifact:
        """One of them, by its version, or by its network where there is but one.

        Raises
        ------
        InvalidInputError
            There is none, or there are several.
        """
        known = list(self.artifacts(model))
        found = [one for one in known if version in (one.version, one.network)]
        if len(found) != 1:
            told = "several" if found else "none"
            names = ", ".join(one.version for one in found or known) or "nothing"
            raise InvalidInputError(
                f"of {model}'s networks, {told} answer to {version!r}; there is {names}"
            )
        return found[0]

    def aliases(self, model: str) -> Aliases:
        """Who answers for a model; read again only when the file has changed."""
        folder = self.root / model
        stamp = Aliases.stamp(folder)
        known = self._aliases.get(model)
        if known is None or known[0] != stamp:
            self._aliases[model] = known = stamp, Aliases.read(folder)
        return known[1]

    def champion(self, model_type: str) -> TrainedNetwork | None:
        """Who answers for this model; None where nobody was trained."""
        return self._current(model_type, "champion")

    def challenger(self, model_type: str) -> TrainedNetwork | None:
        """Who is tried beside the champion."""
        return self._current(model_type, "challenger")

    def promote(self, model: str, version: str, alias: Alias = "champion") -> Aliases:
        """Give an alias to an artifact, once it has been verified and loaded."""
        artifact = self.artifact(model, version)
        artifact.load()
        changed = self.aliases(model).changed(alias, artifact.version)
        changed.write(self.root / model)
        return changed

    def rollback(self, model: str, alias: Alias = "champion") -> Aliases:
        """Give an alias back to whoever had it before."""
        changed = self.aliases(model).rolled_back(alias)
        if (former := changed.version(alias)) is not None:
            self.artifact(model, former).load()
        changed.write(self.root / model)
        return changed

    def _current(self, model: str, alias: Alias) -> TrainedNetwork | None:
        key = (model, alias)
        with self._lock:
            try:
                self._follow(key)
            except LevyError as error:
                self.refused[key] = error.message
                if key not in self._loaded:
                    raise
            else:
                self.refused.pop(key, None)
            return self._loaded.get(key)

    def _follow(self, key: tuple[str, Alias]) -> None:
        """Load whoever has the alias now; whoever had it stays until that is done."""
        model, alias = key
        version = self.aliases(model).version(alias)
        loaded = self._loaded.get(key)
        if version is None:
            self._loaded.pop(key, None)
            return
        if loaded is not None and loaded.version == version:
            return
        tried, tried_at = self._tried.get(key, (None, 0.0))
        if tried == version and key in self.refused and self.clock() - tried_at < _RETRY_SECONDS:
            raise InvalidInputError(self.refused[key])
        self._tried[key] = (version, self.clock())
        self._loaded[key] = self.artifact(model, version).load()
