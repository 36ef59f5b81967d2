"""Generate data sets, in parallel and resumable.

Each chunk is computed independently, so that the bytes do not depend on the number of workers.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from levy_numerics.errors import InvalidInputError
from levy_surfaces.atomic_files import write_atomically
from levy_surfaces.synthetic.chunks import files_of_chunk, is_written, paths_of_chunk
from levy_surfaces.synthetic.executors import Executor, SerialExecutor
from levy_surfaces.synthetic.manifest import (
    MANIFEST,
    Kind,
    Manifest,
    Plan,
    file_hash,
)

Progress = Callable[[int, int], None]
"""Receives the number of surfaces done and the total."""


def generate(
    plan: Plan,
    root: str | Path,
    *,
    features: bool = False,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Generate a data set, or the missing part of it, under `root`.

    Parameters
    ----------
    plan : Plan
    root : str or Path
        The data folder: prices go to `synthetic`, features and targets to `processed`.
    features : bool
        Whether to generate the processed files as well.
    executor : Executor, optional
        The calling process by default.
    progress : callable, optional
        Receives the number of surfaces done and the total.

    Returns
    -------
    Manifest
        Manifest of the prices, which is also written to their folder.

    Raises
    ------
    LevyError
        The plan is not admissible, or the folder contains data of another one.
    """
    plan.check()
    folder = Path(root)
    _check_existing(plan, folder)
    missing = [k for k in range(plan.n_chunks) if not _is_complete(plan, folder, features, k)]
    done = plan.size - sum(stop - start for start, stop in map(plan.chunk_range, missing))
    if progress:
        progress(done, plan.size)
    if missing:
        # Without its manifest, an incomplete folder is not read as a data set.
        (plan.folder(folder) / MANIFEST).unlink(missing_ok=True)
    by_path = {paths_of_chunk(plan, features, k)[0]: plan.chunk_range(k) for k in missing}
    make_chunk = partial(files_of_chunk, plan, features)
    chunks = (executor or SerialExecutor()).map_unordered(make_chunk, missing)
    for files in chunks if missing else ():
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / name, content)
        start, stop = by_path[next(iter(files))]
        done += stop - start
        if progress:
            progress(done, plan.size)
    if features:
        _write_manifest(plan, folder, "processed", ("features", "targets"))
    return _write_manifest(plan, folder, "synthetic", ("",))


def _check_existing(plan: Plan, root: Path) -> None:
    """Refuse to continue a larger data set, or one whose files differ from its manifest."""
    kinds: tuple[Kind, ...] = ("synthetic", "processed")
    for kind in kinds:
        folder = plan.folder(root, kind)
        if not (folder / MANIFEST).exists():
            continue
        manifest = Manifest.read(folder)
        if manifest.plan.size > plan.size and kind == "synthetic":
            raise InvalidInputError(
                f"{folder} already contains {manifest.plan.size} surfaces, more than the "
                f"{plan.size} requested; delete it, or choose another folder or seed"
            )
        manifest.verify(folder, allow_missing=True)


def _is_complete(plan: Plan, folder: Path, features: bool, number: int) -> bool:
    start, stop = plan.chunk_range(number)
    paths = paths_of_chunk(plan, features, number)
    return all(is_written(plan, folder / path, start, stop) for path in paths)


def _write_manifest(plan: Plan, root: Path, kind: Kind, parts: tuple[str, ...]) -> Manifest:
    folder = plan.folder(root, kind)
    names = [
        Path(part, plan.chunk_name(k)).as_posix() for part in parts for k in range(plan.n_chunks)
    ]
    manifest = Manifest(plan, {name: file_hash(folder / name) for name in names})
    manifest.write(folder)
    return manifest
