"""Plan of a data set, and the manifest that verifies its files."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal, Self

from levy_numerics.errors import InvalidInputError
from levy_surfaces.atomic_files import write_atomically
from levy_surfaces.synthetic import grid, layouts
from levy_surfaces.synthetic.ranges import Box

MANIFEST: Final = "manifest.json"
CHUNK: Final = 4096
"""Surfaces in one file, and the most that an interrupted run loses."""
Kind = Literal["synthetic", "processed"]
"""Parameters and prices, or features and targets computed from them."""

_FORMAT: Final = 1
"""Increased when files of an earlier version cannot be read any more."""
_PACKAGES: Final = ("levy-calibration-engine", "numpy", "scipy", "pyarrow")


@dataclass(frozen=True)
class Plan:
    """Everything that determines the numbers of a data set.

    Attributes
    ----------
    model : str
        Name of the model.
    size : int
        Number of surfaces; a larger size continues the same data set.
    seed : int
        Seed of the Sobol scrambling and of the listings.
    layout : {"grid", "scattered"}
    tolerance : float
        Tolerance of the prices, as a fraction of the forward.
    chunk : int
        Surfaces in one file.
    """

    model: str
    size: int
    seed: int = 0
    layout: layouts.Layout = "grid"
    tolerance: float = 1e-8
    chunk: int = CHUNK

    def check(self) -> None:
        """Raise `LevyError` unless the plan is admissible."""
        Box.of(self.model)
        for name, least in (("size", 1), ("seed", 0), ("chunk", 1)):
            if not (getattr(self, name) >= least):
                raise InvalidInputError(f"{name} = {getattr(self, name)} must be ≥ {least}")
        if self.layout not in layouts.LAYOUTS:
            raise InvalidInputError(
                f"unknown layout {self.layout!r}; available: {', '.join(layouts.LAYOUTS)}"
            )

    @property
    def n_chunks(self) -> int:
        """Number of files."""
        return -(-self.size // self.chunk)

    def chunk_range(self, number: int) -> tuple[int, int]:
        """Return the first surface of a file, and the one after its last."""
        return number * self.chunk, min((number + 1) * self.chunk, self.size)

    def chunk_name(self, number: int) -> str:
        """Return the name of a file."""
        return f"part-{number:05d}.parquet"

    def folder(self, root: str | Path, kind: Kind = "synthetic") -> Path:
        """Return its folder under the data folder, in Hive partitions."""
        names = (f"model={self.model}", f"layout={self.layout}", f"seed={self.seed}")
        return Path(root, kind, *names)

    def as_mapping(self) -> dict[str, Any]:
        """Return the values that two runs of one data set share: all but the size."""
        on_grid = self.layout == "grid"
        return {
            "format": _FORMAT,
            "model": self.model,
            "seed": self.seed,
            "layout": self.layout,
            "tolerance": self.tolerance,
            "chunk": self.chunk,
            "ranges": Box.of(self.model).as_mapping(),
            "maturity_years": grid.MATURITY_YEARS.tolist() if on_grid else "drawn",
            "log_strikes": grid.LOG_STRIKES.tolist() if on_grid else "drawn",
        }

    @property
    def digest(self) -> str:
        """SHA-256 of `as_mapping`; each file carries it."""
        return hashlib.sha256(json.dumps(self.as_mapping(), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Manifest:
    """A finished data set.

    Attributes
    ----------
    plan : Plan
    files : mapping of str to str
        SHA-256 of each file.
    """

    plan: Plan
    files: Mapping[str, str]
    versions: Mapping[str, str] = field(
        default_factory=lambda: {name: version(name) for name in _PACKAGES}
    )

    @property
    def data_hash(self) -> str:
        """SHA-256 over names and contents of all files; trained networks record it."""
        lines = "".join(f"{name} {digest}\n" for name, digest in sorted(self.files.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Write it to the folder of the files that it describes."""
        document = {
            **self.plan.as_mapping(),
            "size": self.plan.size,
            "data_hash": self.data_hash,
            "files": dict(self.files),
            "versions": dict(self.versions),
        }
        write_atomically(folder / MANIFEST, (json.dumps(document, indent=1) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read and check the manifest of a data set.

        Raises
        ------
        InvalidInputError
            It does not exist, or describes ranges or a grid of another version.
        """
        path = folder / MANIFEST
        try:
            found = json.loads(path.read_text())
            plan = Plan(**{name: found[name] for name in _PLAN_FIELDS})
            plan.check()
            manifest = cls(plan, found["files"], found["versions"])
            data_hash = found["data_hash"]
        except FileNotFoundError:
            raise InvalidInputError(
                f"{folder} does not contain a complete data set; create one with levy dataset"
            ) from None
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise InvalidInputError(f"{path} is not a manifest of a data set: {error}") from None
        expected = json.loads(json.dumps(plan.as_mapping()))
        changed = [name for name in expected if expected[name] != found.get(name)]
        if changed:
            raise InvalidInputError(
                f"{folder} was generated with other {', '.join(changed)}; generate it again"
            )
        if data_hash != manifest.data_hash:
            raise InvalidInputError(f"{path}: data_hash does not match the files listed")
        return manifest

    def verify(self, folder: Path, *, allow_missing: bool = False) -> None:
        """Raise `InvalidInputError` unless every file has the hash recorded here.

        Parameters
        ----------
        folder : Path
        allow_missing : bool
            Whether a file may be absent; one that is present must be the one recorded.
        """
        for name, expected in self.files.items():
            path = folder / name
            if allow_missing and not path.exists():
                continue
            if not path.is_file() or file_hash(path) != expected:
                raise InvalidInputError(
                    f"{path} is not the file that the manifest describes; delete it and run "
                    "levy dataset again"
                )


_PLAN_FIELDS: Final = tuple(Plan.__dataclass_fields__)


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
