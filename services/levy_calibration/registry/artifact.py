"""A trained network on disk, with everything that is known of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from levy_calibration.drift import reference
from levy_calibration.networks.out_of_distribution import OutOfDistributionDetector
from levy_calibration.networks.runtime import Runtime
from levy_calibration.networks.trained import TrainedNetwork
from levy_numerics.errors import InvalidInputError, LevyError
from levy_schemas.networks import Reads
from levy_surfaces.atomic_files import write_atomically
from levy_surfaces.synthetic.manifest import file_hash
from levy_surfaces.synthetic.ranges import Box

MANIFEST: Final = "manifest.json"
SERVED: Final = "network.tflite"
TRAINABLE: Final = "network.keras"
DETECTOR: Final = "novelty.npz"
REFERENCE: Final = "training_quantiles.npz"
FILES: Final = (SERVED, TRAINABLE, DETECTOR)
"""Files that determine the version; the reference distribution does not."""
_FORMAT: Final = 2
"""In format 1 the version did not depend on the description: data, recipe and metrics."""
_MAX_BYTES: Final = 1_000_000
"""Largest manifest or file of aliases; those of the engine's networks have a few kilobytes."""


class _Manifest(BaseModel):
    """The members of a manifest by which a network is found and loaded."""

    model_config = ConfigDict(strict=True)

    format: Literal[1, 2]
    model: str
    network: str
    version: str
    reads: Reads
    box: dict[str, Any]
    sha256: dict[str, str]


@dataclass(frozen=True)
class Artifact:
    """A folder with a network in two formats, its out-of-distribution detector and its manifest.

    The reference distribution, from which drift is measured, is optional.

    Attributes
    ----------
    folder : Path
    manifest : mapping
        Model, network, version, recipe, data hash, seed, metrics, versions of packages, backend,
        device, and SHA-256 digests of the files.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @classmethod
    def write(cls, root: Path, description: Mapping[str, Any], files: Mapping[str, bytes]) -> Self:
        """Write an artifact to `root`/model/version.

        The version is a hash of its `FILES` and of its description.
        """
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        box = Box.of(str(description["model"])).as_mapping()
        described = {"format": _FORMAT, **description, "box": box, "sha256": digests}
        version = version_of(described)
        folder = root / str(description["model"]) / version
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_atomically(folder / name, content)
        return cls._write_manifest(folder, {"version": version, **described})

    def with_reference(self, distribution: reference.Reference) -> "Artifact":
        """Replace the reference distribution, which does not change the version."""
        content = reference.pack(distribution)
        digests = {**self.manifest["sha256"], REFERENCE: hashlib.sha256(content).hexdigest()}
        write_atomically(self.folder / REFERENCE, content)
        return self._write_manifest(self.folder, {**self.manifest, "sha256": digests})

    @classmethod
    def _write_manifest(cls, folder: Path, manifest: Mapping[str, Any]) -> Self:
        content = json.dumps(manifest, indent=1, allow_nan=False) + "\n"
        write_atomically(folder / MANIFEST, content.encode())
        return cls(folder, json.loads(content))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest, without verifying the files.

        Raises
        ------
        InvalidInputError
            The manifest is missing or invalid, or a file is missing.
        """
        path = folder / MANIFEST
        try:
            content = read_small(path)
            _Manifest.model_validate_json(content)
            artifact = cls(folder, json.loads(content))
        except FileNotFoundError:
            raise InvalidInputError(f"{path} is missing") from None
        except ValidationError as error:
            first = error.errors()[0]
            member = ".".join(map(str, first["loc"])) or "the content"
            reason = f"{path} is not a manifest: {member}: {first['msg']}"
            raise InvalidInputError(f"{reason}; train the network again") from None
        except (OSError, ValueError, RecursionError) as error:
            raise InvalidInputError(f"{path} is not a manifest: {error}") from None
        if (artifact.model, artifact.version) != (folder.parent.name, folder.name):
            raise InvalidInputError(
                f"{path} is the manifest of {artifact.model}/{artifact.version}; "
                "folders must have the names of the model and of the version"
            )
        if missing := [name for name in artifact.files if not (folder / name).is_file()]:
            raise InvalidInputError(f"{folder} lacks {', '.join(missing)}")
        return artifact

    @property
    def model(self) -> str:
        """Name of the model."""
        return str(self.manifest["model"])

    @property
    def network(self) -> str:
        """Name of the architecture."""
        return str(self.manifest["network"])

    @property
    def version(self) -> str:
        """Version, unique for its model."""
        return str(self.manifest["version"])

    @property
    def size_bytes(self) -> int:
        """Total size of the files."""
        return sum((self.folder / name).stat().st_size for name in self.files)

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files, without the manifest."""
        return (*FILES, REFERENCE) if REFERENCE in self.manifest["sha256"] else FILES

    @property
    def covers_metrics(self) -> bool:
        """Whether the version depends on the description; not in format 1."""
        return int(self.manifest["format"]) > 1

    def verify_description(self) -> None:
        """Raise `InvalidInputError` if the description was changed since training."""
        try:
            matches = not self.covers_metrics or version_of(self.manifest) == self.version
        except (KeyError, ValueError):  # a digest is missing, or a number is not finite
            matches = False
        if not matches:
            raise InvalidInputError(
                f"{self.folder / MANIFEST} was changed since training: its version is not the hash "
                "of its content; restore it or train again"
            )

    def verify(self) -> None:
        """Raise `InvalidInputError` if a digest, the description or the training range differs.

        Files are neither unpacked nor run before.
        """
        for name in self.files:
            path = self.folder / name
            try:
                matches = file_hash(path) == self.manifest["sha256"].get(name)
            except OSError as error:
                raise InvalidInputError(f"{path} cannot be read: {error}") from None
            if not matches:
                raise InvalidInputError(
                    f"{path} does not match its manifest; restore it or train again"
                )
        if self.manifest["box"] != Box.of(self.model).as_mapping():
            raise InvalidInputError(
                f"{self.version} was trained on another range of {self.model}; train it again"
            )
        self.verify_description()

    def load(self) -> TrainedNetwork:
        """Return the network after verification and a trial pass.

        Raises
        ------
        InvalidInputError
            A file does not match the manifest, or cannot be used.
        """
        self.verify()
        try:
            network = TrainedNetwork(
                model_type=self.model,
                network=self.network,
                version=self.version,
                reads=self.manifest["reads"],
                box=Box.of(self.model),
                runtime=Runtime((self.folder / SERVED).read_bytes()),
                detector=unpack((self.folder / DETECTOR).read_bytes()),
                reference=self._reference(),
            )
            network.check()
        except LevyError:
            raise
        except Exception as error:  # parsers of damaged files raise errors of any type
            raise InvalidInputError(f"{self.version} cannot be loaded: {error}") from error
        return network

    def _reference(self) -> reference.Reference | None:
        if REFERENCE not in self.files:
            return None
        return reference.unpack((self.folder / REFERENCE).read_bytes())


def version_of(manifest: Mapping[str, Any]) -> str:
    """Return the version of a manifest: its network, and a hash of `FILES` and its description."""
    covered = {name: value for name, value in manifest.items() if name != "version"}
    covered["sha256"] = {name: manifest["sha256"][name] for name in FILES}
    content = json.dumps(covered, sort_keys=True, allow_nan=False)
    return f"{manifest['network']}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


def read_small(path: Path) -> bytes:
    """Return the content of a regular file.

    Raises
    ------
    OSError
        The path is missing, unreadable or not a regular file.
    ValueError
        The file is larger than `_MAX_BYTES`.
    """
    if path.exists() and not path.is_file():  # opening a named pipe would block
        raise OSError("not a regular file")
    with path.open("rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"larger than {_MAX_BYTES} bytes")
    return content


def pack(detector: OutOfDistributionDetector) -> bytes:
    """Return a detector as the content of a file."""
    content = BytesIO()
    np.savez(
        content, mean=detector.mean, whitener=detector.whitener, limit=np.array(detector.limit)
    )
    return content.getvalue()


def unpack(content: bytes) -> OutOfDistributionDetector:
    """Return the detector of a file's content."""
    with np.load(BytesIO(content), allow_pickle=False) as arrays:
        detector = OutOfDistributionDetector(
            arrays["mean"], arrays["whitener"], float(arrays["limit"])
        )
    detector.check()
    return detector
