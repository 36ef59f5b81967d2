"""Follow a model through daily surfaces: a row for each day, saved with the follower's memory."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from levy_cli.daily_surfaces import Day
from levy_cli.progress import Advance
from levy_numerics.errors import InvalidInputError, LevyError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.sequential import Followed, Follower
from levy_surfaces.atomic_files import write_atomically
from levy_validation.error_statistics import BASIS_POINTS, repricing_errors, root_mean_square

LEVEL: Final = 0.95
_METADATA: Final = b"levy_follow"


@dataclass
class Walk:
    """Days that have been followed, in order.

    Attributes
    ----------
    identity : dict
        Model, estimator and weights: a file of other ones is not continued.
    rows : list of dict
        One for each day; `docs/following.md` lists the members.
    left_out : dict of str
        Reason by day, for days that could not be read or fitted.
    memory : dict, optional
        Of the follower after the last row.
    n_before : int
        Rows that the file contained when it was opened.
    """

    identity: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    memory: dict[str, Any] | None = None
    n_before: int = 0

    @property
    def skipped(self) -> list[str]:
        """Return a sentence for each day that is left out."""
        return [f"{day} is left out: {reason}" for day, reason in self.left_out.items()]

    @property
    def frame(self) -> pd.DataFrame:
        """Return the rows as a table."""
        return pd.DataFrame(self.rows)

    @property
    def summary(self) -> dict[str, float | int | None]:
        """Return medians over the days, errors as fractions of one (0.01 is one vol point)."""
        frame = self.frame
        return {
            "n_days": len(frame),
            "rmse_vol": _median(frame, "rmse_vol"),
            "predicted_rmse_vol": _median(frame, "predicted_rmse_vol"),
            "n_evaluations": _median(frame, "n_evaluations"),
            "seconds": _median(frame, "seconds"),
        }

    def save(self, path: str | Path) -> None:
        """Write the rows as Parquet, with the memory in its metadata."""
        state = {"identity": self.identity, "left_out": self.left_out, "memory": self.memory}
        table = pa.Table.from_pandas(self.frame, preserve_index=False)
        metadata = dict(table.schema.metadata or {})
        table = table.replace_schema_metadata(metadata | {_METADATA: json.dumps(state).encode()})
        content = BytesIO()
        pq.write_table(table, content)
        write_atomically(path, content.getvalue())

    @classmethod
    def resumed(cls, path: str | Path, identity: dict[str, Any]) -> "Walk":
        """Return the walk of a file, or a new one if there is none.

        Raises
        ------
        InvalidInputError
            The file is another one: of another model, estimator or weights, or not a walk.
        """
        if not Path(path).exists():
            return cls(identity)
        try:
            table = pq.read_table(path)
            state = json.loads((table.schema.metadata or {})[_METADATA])
        except (pa.ArrowInvalid, KeyError, json.JSONDecodeError) as error:
            message = f"{path} exists and is not a file of levy follow; choose another name"
            raise InvalidInputError(message) from error
        if state["identity"] != identity:
            there, here = (
                ", ".join(str(value) for value in one.values() if value)
                for one in (state["identity"], identity)
            )
            raise InvalidInputError(
                f"{path} contains days of {there}, not of {here}; choose another name, or pass "
                "--restart to replace it"
            )
        rows = table.to_pylist()
        return cls(identity, rows, state["left_out"], state["memory"], n_before=len(rows))


def follow(
    walk: Walk,
    follower: Follower,
    days: Sequence[Day],
    *,
    out: str | None = None,
    progress: Advance | None = None,
) -> None:
    """Follow the days after the last one of a walk, and save each.

    A day that cannot be read or fitted is left out with its reason, and does not stop the others.
    """
    if walk.memory is not None:
        follower.restore(walk.memory)
    last = max((row["day"] for row in walk.rows), default="")
    for k, day in enumerate(days):
        if day.name > last and day.name not in walk.left_out:
            started = time.perf_counter()
            try:
                surface = day.cleaned().surface
                read = time.perf_counter()
                followed = follower.update(surface.quotes)
            except LevyError as error:
                walk.left_out[day.name] = error.message
            else:
                row = _row(day.name, surface.quotes, followed)
                ended = time.perf_counter()
                walk.rows.append(row | {"seconds": ended - read, "reading_seconds": read - started})
                walk.memory = follower.memory()
            if out is not None and walk.rows:
                walk.save(out)
        if progress is not None:
            progress(k + 1, len(days), day.name)


def _row(name: str, quotes: Quotes, followed: Followed) -> dict[str, Any]:
    fit = followed.fit
    row: dict[str, Any] = {
        "day": name,
        "n_quotes": quotes.size,
        "status": fit.status,
        "rmse_vol": _finite(fit.fit.implied_vol_rmse),
        "predicted_rmse_vol": predicted_error(quotes, followed.predicted),
        "n_evaluations": fit.n_evaluations,
        "strength": followed.strength,
        "warnings": "; ".join(fit.warnings),
    }
    for parameter, (low, high) in followed.intervals(LEVEL).items():
        row[parameter] = fit.parameters[parameter]
        row[f"{parameter}_low"], row[f"{parameter}_high"] = _finite(low), _finite(high)
    return row


def predicted_error(quotes: Quotes, predicted: Model | None) -> float | None:
    """Return the RMS error of volatility of parameters that were predicted for these quotes."""
    if predicted is None:
        return None
    try:
        errors = repricing_errors(quotes, predicted)
    except LevyError:  # the prediction has no forward
        return None
    return _finite(root_mean_square(errors) / BASIS_POINTS)


def parameters_of(walk: Walk) -> Iterator[str]:
    """Yield the names of the parameters in the rows."""
    for name in walk.rows[0]:
        if f"{name}_low" in walk.rows[0]:
            yield name


def _median(frame: pd.DataFrame, column: str) -> float | None:
    if column not in frame:
        return None
    values = pd.to_numeric(frame[column]).dropna()
    return float(values.median()) if len(values) else None


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
