"""Malformed artifacts are skipped with a reason, and the champion is served."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from levy_calibration.app import create_app
from levy_calibration.registry import Registry
from levy_calibration.registry.artifact import DETECTOR, MANIFEST, REFERENCE, SERVED, TRAINABLE
from levy_calibration.settings import CalibrationSettings
from levy_numerics.errors import InvalidInputError, LevyError
from tests.calibration_service.conftest import TestClient

MODEL = "VarianceGamma"
Damage = Callable[[Path], object]


@pytest.fixture
def registry(root: Path, tmp_path: Path) -> Registry:
    """Copy the registry, with a champion and another network to damage."""
    shutil.copytree(root, tmp_path / "registry")
    opened = Registry.open(tmp_path / "registry")
    opened.promote(MODEL, "mlp")
    return opened


def manifest(change: Callable[[dict[str, Any]], object]) -> Damage:
    """Change members of the manifest."""

    def damage(folder: Path) -> None:
        content = json.loads((folder / MANIFEST).read_text())
        change(content)
        (folder / MANIFEST).write_text(json.dumps(content))

    return damage


def text(content: str | bytes) -> Damage:
    """Replace the manifest."""
    raw = content if isinstance(content, bytes) else content.encode()
    return lambda folder: (folder / MANIFEST).write_bytes(raw)


def signed(name: str, content: bytes) -> Damage:
    """Replace a file and its digest, so that only its content is wrong."""

    def damage(folder: Path) -> None:
        (folder / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        manifest(lambda m: m["sha256"].update({name: digest}))(folder)

    return damage


def npz(**arrays: Any) -> bytes:
    file = BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def replaced(name: str, make: Callable[[Path], object]) -> Damage:
    """Put something else in the place of a file."""

    def damage(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return damage


def truncated(name: str) -> Damage:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return damage


def network_of_another_size(folder: Path) -> None:
    """Use the network of a set, whose input has other dimensions, as one that reads the grid."""
    (other,) = folder.parent.glob("set-*")
    signed(SERVED, (other / SERVED).read_bytes())(folder)


def renamed(folder: Path) -> None:
    shutil.copytree(folder, folder.with_name("cnn-copy"))
    shutil.rmtree(folder)


UNREADABLE = {
    "manifest-empty": text(""),
    "manifest-blank": text("\n"),
    "manifest-truncated": truncated(MANIFEST),
    "manifest-list": text("[]"),
    "manifest-null": text("null"),
    "manifest-number": text("7"),
    "manifest-string": text('"network"'),
    "manifest-object-without-members": text("{}"),
    "manifest-huge": text(b'{"format": 1, "pad": "' + b"x" * 2_000_000 + b'"}'),
    "manifest-deep": text("[" * 100_000 + "]" * 100_000),
    "manifest-deep-member": text('{"format": 1, "box": ' + '{"a":' * 5_000 + "1" + "}" * 5_001),
    "manifest-not-utf8": text(b'{"format": 1, "model": "\xff\xfe"}'),
    "manifest-utf16": text('{"format": 1}'.encode("utf-16")),
    "manifest-binary": text(bytes(range(256))),
    "manifest-missing": lambda folder: (folder / MANIFEST).unlink(),
    "manifest-folder": replaced(MANIFEST, Path.mkdir),
    "manifest-named-pipe": replaced(MANIFEST, os.mkfifo),
    "manifest-broken-link": replaced(MANIFEST, lambda path: path.symlink_to("absent")),
    "manifest-link-to-itself": replaced(MANIFEST, lambda path: path.symlink_to(path.name)),
    "format-other": manifest(lambda m: m.update(format=99)),
    "format-text": manifest(lambda m: m.update(format="1")),
    "model-missing": manifest(lambda m: m.pop("model")),
    "model-unknown": manifest(lambda m: m.update(model="Heston")),
    "model-list": manifest(lambda m: m.update(model=["VarianceGamma"])),
    "network-null": manifest(lambda m: m.update(network=None)),
    "version-number": manifest(lambda m: m.update(version=5)),
    "version-path": manifest(lambda m: m.update(version="../../etc")),
    "version-of-another": renamed,
    "reads-other": manifest(lambda m: m.update(reads="pixels")),
    "box-null": manifest(lambda m: m.update(box=None)),
    "box-other": manifest(lambda m: m.update(box={"axes": []})),
    "digests-list": manifest(lambda m: m.update(sha256=[])),
    "digests-numbers": manifest(lambda m: m.update(sha256=dict.fromkeys(m["sha256"], 1))),
    "digests-missing": manifest(lambda m: m.update(sha256={})),
    "digest-wrong": manifest(lambda m: m["sha256"].update({SERVED: "0" * 64})),
    "weights-missing": lambda folder: (folder / SERVED).unlink(),
    "weights-empty": lambda folder: (folder / SERVED).write_bytes(b""),
    "weights-truncated": truncated(SERVED),
    "weights-folder": replaced(SERVED, Path.mkdir),
    "weights-broken-link": replaced(SERVED, lambda path: path.symlink_to("absent")),
    "weights-named-pipe": replaced(SERVED, os.mkfifo),
    "trainable-missing": lambda folder: (folder / TRAINABLE).unlink(),
    "detector-truncated": truncated(DETECTOR),
    "reference-promised": manifest(lambda m: m["sha256"].update({REFERENCE: "0" * 64})),
    "folder-empty": lambda folder: [path.unlink() for path in folder.iterdir()],
    "folder-broken-link": lambda folder: (shutil.rmtree(folder), folder.symlink_to("absent")),
}
"""Damage that is found without loading the network."""

UNUSABLE = {
    "weights-garbage": signed(SERVED, os.urandom(4096)),
    "weights-text": signed(SERVED, b"not a network"),
    "weights-of-other-inputs": network_of_another_size,
    "detector-garbage": signed(DETECTOR, b"PK\x03\x04" + bytes(64)),
    "detector-not-an-archive": signed(DETECTOR, b"mean"),
    "detector-without-arrays": signed(DETECTOR, npz(other=np.zeros(2))),
    "detector-of-other-shape": signed(
        DETECTOR, npz(mean=np.zeros(3), whitener=np.eye(4), limit=np.array(1.0))
    ),
    "detector-of-other-size": signed(
        DETECTOR, npz(mean=np.zeros(3), whitener=np.eye(3), limit=np.array(1.0))
    ),
    "detector-nan": signed(
        DETECTOR, npz(mean=np.full(3, np.nan), whitener=np.eye(3), limit=np.array(1.0))
    ),
    "detector-pickles": signed(
        DETECTOR, npz(mean=np.array([{}], dtype=object), whitener=np.eye(1), limit=np.array(1.0))
    ),
    "reference-nan": signed(REFERENCE, npz(sigma=np.full(500, np.nan))),
    "reference-decreasing": signed(REFERENCE, npz(sigma=np.linspace(1.0, 0.0, 500))),
    "reference-text": signed(REFERENCE, npz(sigma=np.array(["low", "high"]))),
    "reference-pickles": signed(REFERENCE, npz(sigma=np.array([None, {}], dtype=object))),
    "reference-garbage": signed(REFERENCE, b"\x00" * 100),
}
"""Damage with matching digests, which is found when the network is loaded."""

ALIASES = {
    "empty": "",
    "list": "[]",
    "without-history": '{"champion": null, "challenger": null}',
    "number": '{"champion": 3, "challenger": null, "history": []}',
    "bad-history": '{"champion": null, "challenger": null, "history": [1]}',
    "not-utf8": b'{"champion": "\xff"}',
    "deep": "[" * 100_000,
    "nothing": '{"champion": "mlp-0", "challenger": null, "history": []}',
    "path": '{"champion": "../VarianceGamma", "challenger": null, "history": []}',
}


def other(registry: Registry) -> Path:
    return registry.artifact(MODEL, "cnn").folder


@pytest.mark.parametrize("damage", UNREADABLE.values(), ids=UNREADABLE)
def test_a_damaged_artifact_is_skipped_and_the_champion_serves(
    damage: Damage, registry: Registry
) -> None:
    damage(other(registry))
    restarted = Registry.open(registry.root)
    champion = restarted.champion(MODEL)
    assert champion is not None
    assert champion.network == "mlp"
    ((name, reason),) = restarted.skipped().items()
    assert name.startswith(f"{MODEL}/cnn-")
    assert reason
    with pytest.raises(InvalidInputError):
        restarted.promote(MODEL, name.split("/")[1])
    assert restarted.models() == (MODEL,)


@pytest.mark.parametrize("damage", (UNREADABLE | UNUSABLE).values(), ids=UNREADABLE | UNUSABLE)
def test_a_damaged_champion_is_rejected_with_its_reason(damage: Damage, registry: Registry) -> None:
    registry.promote(MODEL, "cnn")
    version = registry.aliases(MODEL).champion
    damage(other(registry))
    restarted = Registry.open(registry.root)
    with pytest.raises(LevyError):
        restarted.champion(MODEL)
    assert restarted.skipped()[f"{MODEL}/champion"]
    registry.promote(MODEL, "mlp")
    champion = restarted.champion(MODEL)
    assert champion is not None
    assert champion.version != version


@pytest.mark.parametrize("content", ALIASES.values(), ids=ALIASES)
def test_damaged_aliases_are_reported(content: str | bytes, registry: Registry) -> None:
    assert registry.champion(MODEL) is not None
    raw = content if isinstance(content, bytes) else content.encode()
    (registry.root / MODEL / "aliases.json").write_bytes(raw)
    assert registry.champion(MODEL) is not None
    assert registry.skipped()[f"{MODEL}/champion"]
    with pytest.raises(InvalidInputError):
        Registry.open(registry.root).champion(MODEL)


def test_folders_of_unknown_models_are_skipped(registry: Registry) -> None:
    shutil.copytree(registry.root / MODEL, registry.root / "Heston")
    (registry.root / "notes.txt").write_text("kept by hand")
    assert registry.models() == (MODEL,)
    assert {name.split("/")[0] for name in registry.skipped()} == {"Heston"}


def test_the_service_starts_lists_and_logs_what_it_skips(
    registry: Registry, logged: list[Any], grid_request: dict[str, Any]
) -> None:
    text("")(other(registry))
    with TestClient(create_app(CalibrationSettings(registry=registry.root))) as client:
        networks = client.get("/networks").json()
        assert networks["networks"][MODEL]["champion"].startswith("mlp-")
        assert [name.split("-")[0] for name in networks["skipped"]] == [f"{MODEL}/cnn"]
        assert client.post("/calibrate", json=grid_request).status_code == 200
    assert [event["event"] for event in logged].count("network.skipped") == 1
