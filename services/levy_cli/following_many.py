"""Follow a model through the days of many underlyings, in several processes or on a cluster."""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from levy_cli.daily_surfaces import days_of
from levy_cli.following import Walk, follow
from levy_numerics import models
from levy_numerics.errors import InvalidInputError, LevyError
from levy_numerics.sequential import follower_of
from levy_surfaces.quote_files import TABLE_SUFFIXES
from levy_surfaces.synthetic.executors import Executor, Files

SUFFIX: Final = ".parquet"


@dataclass(frozen=True)
class Underlying:
    """A file or folder of the daily quotes of one underlying, and its name."""

    name: str
    path: str


@dataclass(frozen=True)
class FollowUnderlying:
    """Follows the underlying of a number; picklable, for other processes.

    Attributes
    ----------
    options : dict
        Of the command.
    underlyings : tuple of Underlying
    """

    options: dict[str, Any]
    underlyings: tuple[Underlying, ...]

    def __call__(self, number: int) -> Files:
        """Write the path of an underlying; return its summary, or why it failed, as JSON."""
        underlying = self.underlyings[number]
        options = argparse.Namespace(**self.options | {"quotes": underlying.path})
        try:
            walk = follow_one(options, str(path_of(options.out, underlying.name)))
            result: dict[str, Any] = {"summary": walk.summary, "skipped": walk.skipped}
        except (LevyError, OSError) as error:
            result = {"failure": str(error)}
        return {underlying.name: json.dumps(result).encode()}


def underlyings_of(folder: str | Path) -> tuple[Underlying, ...]:
    """Return the underlyings of a folder, each a file or a folder of quotes, by name.

    Raises
    ------
    InvalidInputError
        It is not a folder, contains none, or two have one name.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InvalidInputError(f"{folder} is not a folder of underlyings, which --each requires")
    found = [
        Underlying(_stem(entry), str(entry))
        for entry in sorted(path.iterdir())
        if entry.is_dir() or entry.name.lower().endswith(TABLE_SUFFIXES)
    ]
    if not found:
        raise InvalidInputError(f"{folder} contains no file or folder of quotes")
    names = [one.name for one in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidInputError(f"{folder} contains two underlyings named {twice}; rename one")
    return tuple(found)


def follow_one(
    options: argparse.Namespace, out: str | None, progress: Callable[..., None] | None = None
) -> Walk:
    """Follow the days of `options.quotes`; continue the path in `out`, if there is one.

    Raises
    ------
    LevyError
        The path is that of other options, or no day can be fitted.
    """
    model = models.get(options.model)
    follower = follower_of(options.estimator, model, options.weights)
    identity = {"model": model.name, "estimator": options.estimator, "weights": options.weights}
    if out and options.restart:
        Path(out).unlink(missing_ok=True)
    walk = Walk.resumed(out, identity) if out else Walk(identity)
    days = sorted(days_of(options), key=lambda day: day.name)
    follow(walk, follower, days, out=out, progress=progress)
    if not walk.rows:
        reason = f": {walk.skipped[0]}" if walk.skipped else ""
        raise InvalidInputError(f"{options.quotes} contains no day that can be fitted{reason}")
    return walk


def follow_each(
    options: argparse.Namespace,
    underlyings: Sequence[Underlying],
    executor: Executor,
    progress: Callable[[int, int], None],
) -> dict[str, dict[str, Any]]:
    """Follow all underlyings; one that fails does not stop the others.

    Returns
    -------
    dict
        By name: `summary` and `skipped`, or `failure`.
    """
    work = FollowUnderlying(vars(options), tuple(underlyings))
    results: dict[str, dict[str, Any]] = {}
    for files in executor.map_unordered(work, range(len(underlyings))):
        results |= {name: json.loads(content) for name, content in files.items()}
        progress(len(results), len(underlyings))
    return dict(sorted(results.items()))


def path_of(folder: str, name: str) -> Path:
    """Return the file of an underlying's path."""
    return Path(folder) / f"{name}{SUFFIX}"


def _stem(entry: Path) -> str:
    return entry.name if entry.is_dir() else entry.name.split(".")[0]
