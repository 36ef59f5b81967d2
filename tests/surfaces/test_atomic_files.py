"""Files are replaced atomically."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from levy_surfaces.atomic_files import write_atomically

_WRITE = """
import resource, sys
from levy_surfaces.atomic_files import write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write_atomically(sys.argv[1], b"new" * 1000)
"""


def test_a_limit_on_file_size_leaves_the_earlier_file(tmp_path: Path) -> None:
    target = tmp_path / "draws.nc"
    target.write_bytes(b"good draws")
    done = subprocess.run(
        [sys.executable, "-c", _WRITE, str(target)], capture_output=True, text=True, check=False
    )
    assert "File too large" in done.stderr
    assert target.read_bytes() == b"good draws"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_before_the_rename_leaves_the_earlier_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    target = tmp_path / "draws.nc"
    target.write_bytes(b"good draws")

    def fail(_: int) -> None:
        raise failure

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(failure)):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"good draws"
    assert list(tmp_path.iterdir()) == [target]


def test_permissions_and_symbolic_links_are_kept(tmp_path: Path) -> None:
    target, link = tmp_path / "draws.nc", tmp_path / "latest.nc"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_device_is_written_to_and_stays_a_device() -> None:
    write_atomically(os.devnull, b"new")
    assert not Path(os.devnull).is_file()
    with pytest.raises(OSError, match="No space left"):
        write_atomically("/dev/full", b"new")
