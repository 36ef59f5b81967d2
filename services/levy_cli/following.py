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
from levy_numerics.calibration.fit_quality import PricingErrors
from levy_numerics.errors import InvalidInputError, LevyError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing import price
from levy_numerics.sequential import Followed, Follower
from levy_surfaces.atomic_files import write_atomically

LEVEL: Final = 0.95
_METADATA: Final = b"levy_follow"
_PRICE_TOLERANCE: Final = 1e-9


@dataclass
class Walk:
    """Days that have been followed, in order.

    Attributes
    ----------
    identity : dict
        Model, estimator and weights: a file of other ones is not continued.
    rows : list of dict
        One for each day; `docs/following.md` lists the members.
    skipped : list of str
        A sentence for each day that could not be fitted.
    memory : dict, optional
        Of the follower after the last row.
    """

    identity: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    memory: dict[str, Any] | None = None

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
        state = {"identity": self.identity, "skipped": self.skipped, "memory": self.memory}
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
        table, state = _read(path)
        if state["identity"] != identity:
            there, here = (
                ", ".join(str(value) for value in one.values() if value)
                for one in (state["identity"], identity)
            )
            raise InvalidInputError(
                f"{path} contains days of {there}, not of {here}; choose another name, or pass "
                "--restart to replace it"
            )
        return cls(identity, table.to_pylist(), state["skipped"], state["memory"])

    @staticmethod
    def rows_of(path: str | Path) -> list[dict[str, Any]]:
        """Return the rows of a file.

        Raises
        ------
        InvalidInputError
            The file is not a walk.
        """
        rows: list[dict[str, Any]] = _read(path)[0].to_pylist()
        return rows


def _read(path: str | Path) -> tuple[pa.Table, dict[str, Any]]:
    try:
        table = pq.read_table(path)
        return table, json.loads((table.schema.metadata or {})[_METADATA])
    except (pa.ArrowInvalid, KeyError, json.JSONDecodeError) as error:
        message = f"{path} exists and is not a file of levy follow; choose another name"
        raise InvalidInputError(message) from error


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
    left_out = {line.split(":")[0] for line in walk.skipped}
    for k, day in enumerate(days):
        if day.name > last and day.name not in left_out:
            started = time.perf_counter()
            try:
                surface = day.cleaned().surface
                read = time.perf_counter()
                followed = follower.update(surface.quotes)
            except LevyError as error:
                walk.skipped.append(f"{day.name}: left out, {error.message}")
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
        prices = price(predicted, quotes.contracts, tolerance=_PRICE_TOLERANCE).value
    except LevyError:  # the prediction has no forward
        return None
    errors = PricingErrors.of(quotes, prices).vol
    errors = errors[np.isfinite(errors)]
    return float(np.sqrt(np.mean(errors**2))) if errors.size else None


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
