"""Machine code is invalidated by a change of any source file."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import levy_numerics
from levy_numerics.jit import sources_hash

PACKAGE = Path(next(iter(levy_numerics.__path__)))

_PRINT_SIGMA = """
import numpy as np
from levy_numerics.models import VarianceGamma
from levy_numerics.models.compiled import from_coordinates_with_jacobian
z = np.log(np.array([0.09, 20.0, 15.0]))
compiled, _ = from_coordinates_with_jacobian(VarianceGamma, z)
print(compiled.sigma, VarianceGamma.from_coordinates(z).sigma)
"""


def sigmas(libs: Path) -> tuple[float, float]:
    """Return σ at some coordinates, by compiled code and by NumPy, from a copy of the package."""
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", _PRINT_SIGMA],
        env=environment | {"PYTHONPATH": str(libs)},
        capture_output=True,
        text=True,
        check=True,
    )
    compiled, by_numpy = map(float, done.stdout.split())
    return compiled, by_numpy


def test_a_helper_changed_in_another_file_is_compiled_again(tmp_path: Path) -> None:
    copy = tmp_path / "levy_numerics"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = sigmas(tmp_path)
    assert before[0] == before[1]
    # Coordinates now hold the variance of half a year: σ² doubles.
    helper = copy / "models" / "coordinates.py"
    text = helper.read_text()
    changed = text.replace("return xp.exp(z[0]), 1.0", "return 2.0 * xp.exp(z[0]), 1.0")
    assert changed != text
    helper.write_text(changed)
    after = sigmas(tmp_path)
    assert after[1] > 1.3 * before[1]
    assert after[0] == after[1]


def test_the_hash_follows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    first = sources_hash(tmp_path)
    (tmp_path / "notes.txt").write_text("not a source")
    assert sources_hash(tmp_path) == first
    (tmp_path / "a.py").write_text("x = 2\n")
    second = sources_hash(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert len({first, second, sources_hash(tmp_path)}) == 3


_COMPILE_IN_THREADS = """
from concurrent.futures import ThreadPoolExecutor
from levy_numerics.jit import cache_folder, compiled
from levy_numerics.models import coordinates

with ThreadPoolExecutor(8) as pool:
    functions = list(pool.map(lambda _: compiled(coordinates.split), range(400)))
print({function._cache.cache_path.startswith(str(cache_folder())) for function in functions})
"""


def test_functions_compiled_in_several_threads_are_cached_in_the_folder(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _COMPILE_IN_THREADS],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "{True}"
    assert list(tmp_path.iterdir()) == []
