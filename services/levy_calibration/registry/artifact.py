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
from levy_calibration.networks.out_of_distribution import Novelty
from levy_calibration.networks.runtime import Runtime
from levy_calibration.networks.trained import TrainedNetwork
from levy_numerics.errors import InvalidInputError
from levy_surfaces.atomic_files import write_atomically
from levy_surfaces.synthetic.manifest import file_hash
from levy_surfaces.synthetic.ranges import Box

MANIFEST: Final = "manifest.json"
SERVED: Final = "network.tflite"
TRAINABLE: Final = "network.keras"
NOVELTY: Final = "novelty.npz"
REFERENCE: Final = "training_quantiles.npz"
FILES: Final = (SERVED, TRAINABLE, NOVELTY)
"""What makes a network the one that it is, and its version; its reference only tells of it."""
_FORMAT: Final = 1
_TOLD: Final = ("format", "model", "network", "version", "reads", "box", "sha256")


@dataclass(frozen=True)
class Artifact:
    """A folder with a network twice, to serve and to train on, its novelty and its manifest.

    Beside them lies its reference, against which drift is measured; networks without one are
    served, unwatched.

    Attributes
    ----------
    folder : Path
    manifest : mapping
        Model, network, version, recipe, data hash, seed, metrics, versions of what made it, the
        backend and device, and sha256 of the files.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @classmethod
    def write(cls, root: Path, told: Mapping[str, Any], files: Mapping[str, bytes]) -> Self:
        """Put a new artifact under `root`/model/version; its version follows from its `FILES`."""
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        joint = hashlib.sha256("".join(digests[name] for name in FILES).encode()).hexdigest()
        version = f"{told['network']}-{joint[:10]}"
        folder = root / str(told["model"]) / version
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_atomically(folder / name, content)
        box = Box.of(str(told["model"])).as_mapping()
        manifest = {"format": _FORMAT, "version": version, **told, "box": box, "sha256": digests}
        return cls._described(folder, manifest)

    def with_reference(self, distribution: reference.Reference) -> "Artifact":
        """Give the network another reference; it stays the network that it is."""
        content = reference.pack(distribution)
        digests = {**self.manifest["sha256"], REFERENCE: hashlib.sha256(content).hexdigest()}
        write_atomically(self.folder / REFERENCE, content)
        return self._described(self.folder, {**self.manifest, "sha256": digests})

    @classmethod
    def _described(cls, folder: Path, manifest: Mapping[str, Any]) -> Self:
        content = json.dumps(manifest, indent=1, allow_nan=False) + "\n"
        write_atomically(folder / MANIFEST, content.encode())
        return cls(folder, json.loads(content))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest; the files are not looked at.

        Raises
        ------
        InvalidInputError
            There is none, or it is no manifest.
        """
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            missing = [name for name in _TOLD if name not in manifest]
        except FileNotFoundError:
            raise InvalidInputError(f"{folder} holds no trained network") from None
        except (json.JSONDecodeError, TypeError) as error:
            raise InvalidInputError(f"{folder / MANIFEST} is no manifest: {error}") from None
        if missing or manifest["format"] != _FORMAT:
            told = f"lacks {', '.join(missing)}" if missing else "is of another format"
            raise InvalidInputError(f"{folder / MANIFEST} {told}")
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
        """Unique among those of its model."""
        return str(self.manifest["version"])

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum((self.folder / name).stat().st_size for name in self.files)

    @property
    def files(self) -> tuple[str, ...]:
        """Names of its files, besides the manifest."""
        return (*FILES, REFERENCE) if REFERENCE in self.manifest["sha256"] else FILES

    def verify(self) -> None:
        """Raise `InvalidInputError` unless every file is what was trained, for ranges as they are.

        Nothing is unpacked or run before.
        """
        for name in self.files:
            path = self.folder / name
            if not path.is_file() or file_hash(path) != self.manifest["sha256"].get(name):
                raise InvalidInputError(
                    f"{path} is not the file that its manifest describes; the network is refused"
                )
        if self.manifest["box"] != Box.of(self.model).as_mapping():
            raise InvalidInputError(
                f"{self.version} was trained on other ranges of {self.model}; train it again"
            )

    def load(self) -> TrainedNetwork:
        """Verify, and make ready to answer."""
        self.verify()
        return TrainedNetwork(
            model_type=self.model,
            network=self.network,
            version=self.version,
            reads=self.manifest["reads"],
            box=Box.of(self.model),
            runtime=Runtime((self.folder / SERVED).read_bytes()),
            novelty=unpack((self.folder / NOVELTY).read_bytes()),
            reference=self._reference(),
        )

    def _reference(self) -> reference.Reference | None:
        if REFERENCE not in self.files:
            return None
        return reference.unpack((self.folder / REFERENCE).read_bytes())


def pack(novelty: Novelty) -> bytes:
    """Novelty as the bytes of a file."""
    content = BytesIO()
    np.savez(content, mean=novelty.mean, whitener=novelty.whitener, limit=np.array(novelty.limit))
    return content.getvalue()


def unpack(content: bytes) -> Novelty:
    """Inverse of `pack`."""
    with np.load(BytesIO(content), allow_pickle=False) as found:
        return Novelty(found["mean"], found["whitener"], float(found["limit"]))
