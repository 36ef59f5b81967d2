"""A trained network on disk, with everything that is known of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from levy_calibration.drift import reference
from levy_calibration.networks.out_of_distribution import OutOfDistributionDetector
from levy_calibration.networks.runtime import Runtime
from levy_calibration.networks.trained import TrainedNetwork
from levy_numerics.errors import InvalidInputError
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
_FORMAT: Final = 1
_REQUIRED: Final = ("format", "model", "network", "version", "reads", "box", "sha256")


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
        """Write an artifact to `root`/model/version; the version is a hash of its `FILES`."""
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        joint = hashlib.sha256("".join(digests[name] for name in FILES).encode()).hexdigest()
        version = f"{description['network']}-{joint[:10]}"
        folder = root / str(description["model"]) / version
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_atomically(folder / name, content)
        box = Box.of(str(description["model"])).as_mapping()
        manifest = {
            "format": _FORMAT,
            "version": version,
            **description,
            "box": box,
            "sha256": digests,
        }
        return cls._write_manifest(folder, manifest)

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
            There is no manifest, or it is invalid.
        """
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            missing = [name for name in _REQUIRED if name not in manifest]
        except FileNotFoundError:
            raise InvalidInputError(f"{folder} does not contain a trained network") from None
        except (json.JSONDecodeError, TypeError) as error:
            raise InvalidInputError(f"{folder / MANIFEST} is not a manifest: {error}") from None
        if missing or manifest["format"] != _FORMAT:
            reason = f"lacks {', '.join(missing)}" if missing else "has another format"
            raise InvalidInputError(f"{folder / MANIFEST} {reason}; train the network again")
        return cls(folder, manifest)

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

    def verify(self) -> None:
        """Raise `InvalidInputError` if a digest or the model's training range differs.

        Files are neither unpacked nor run before.
        """
        for name in self.files:
            path = self.folder / name
            if not path.is_file() or file_hash(path) != self.manifest["sha256"].get(name):
                raise InvalidInputError(
                    f"{path} does not match its manifest; restore it or train again"
                )
        if self.manifest["box"] != Box.of(self.model).as_mapping():
            raise InvalidInputError(
                f"{self.version} was trained on another range of {self.model}; train it again"
            )

    def load(self) -> TrainedNetwork:
        """Return the network after verification."""
        self.verify()
        return TrainedNetwork(
            model_type=self.model,
            network=self.network,
            version=self.version,
            reads=self.manifest["reads"],
            box=Box.of(self.model),
            runtime=Runtime((self.folder / SERVED).read_bytes()),
            detector=unpack((self.folder / DETECTOR).read_bytes()),
            reference=self._reference(),
        )

    def _reference(self) -> reference.Reference | None:
        if REFERENCE not in self.files:
            return None
        return reference.unpack((self.folder / REFERENCE).read_bytes())


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
        return OutOfDistributionDetector(arrays["mean"], arrays["whitener"], float(arrays["limit"]))
