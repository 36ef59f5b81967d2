"""Compare the estimators of `levy follow` with warm starts on real days; writes docs/following.md.

Run as `make following`, with LEVY_MARKET_DATA set.
"""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from levy_cli.command_line import command_line
from levy_cli.daily_surfaces import days_of
from levy_cli.following import predicted_error
from levy_numerics import models
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.sequential import Followed, follower_of

MODELS: Final = ("VarianceGamma", "CGMYSato", "CGMYCIR", "CGMYAdditive")
SETS: Final = {
    "spx_cboe_2019": "S&P 500, 19 days of 2019",
    "btc_deribit_202106": "Bitcoin, 30 days of June 2021",
}
BEGIN, END = "<!-- The table is made by `make following`. -->\n", "<!-- End of the table. -->\n"
_NORMAL_95: Final = 1.96


@dataclass(frozen=True)
class Compared:
    """An estimator relative to warm starts.

    Attributes
    ----------
    predicted_ratio : float
        Of mean errors of volatility of the parameters predicted for each day.
    cost_ratio : float
        Of the summed costs of the fits on the day.
    move_ratio : ndarray, shape (k,)
        Of median moves of the coordinates from day to day; NaN where warm starts do not move.
    covered : float
        Share of the warm starts' estimates inside the 95% intervals predicted the day before, with
        the estimates' own errors; of those with a finite standard error.
    seconds : float
        Median processor time of an update.
    """

    predicted_ratio: float
    cost_ratio: float
    move_ratio: np.ndarray
    covered: float
    seconds: float


def daily_quotes(folder: Path, name: str) -> list[Quotes]:
    """Return the cleaned quotes of each day of a set."""
    path = next((folder / name).glob("quotes.csv*"))
    options = command_line().parse_args(["follow", str(path), "--model", "VG"])
    return [day.cleaned().surface.quotes for day in days_of(options)]


@dataclass(frozen=True)
class Walk:
    """Days followed by one estimator, and its median processor time."""

    days: Sequence[Followed]
    predicted_error: float
    seconds: float

    @classmethod
    def of(cls, estimator: str, model: type[Model], surfaces: Sequence[Quotes]) -> "Walk":
        """Follow the days."""
        follower, days, seconds = follower_of(estimator, model), [], []
        for quotes in surfaces:
            began = time.process_time()
            days.append(follower.update(quotes))
            seconds.append(time.process_time() - began)
        errors = [
            predicted_error(quotes, one.predicted)
            for quotes, one in zip(surfaces[1:], days[1:], strict=True)
        ]
        # None where a prediction has no forward becomes NaN, and is seen in the table.
        mean = float(np.mean(np.array(errors, dtype=float)))
        return cls(days, mean, float(np.median(seconds)))


def compared(walk: Walk, warm: Walk) -> Compared:
    """Compare an estimator with warm starts."""
    moves = [np.median(np.abs(np.diff(_points(one.days), axis=0)), axis=0) for one in (walk, warm)]
    with np.errstate(divide="ignore", invalid="ignore"):
        move_ratio = np.where(moves[1] > 0.0, moves[0] / moves[1], np.nan)
    return Compared(
        predicted_ratio=walk.predicted_error / warm.predicted_error,
        cost_ratio=sum(f.fit.cost for f in walk.days) / sum(f.fit.cost for f in warm.days),
        move_ratio=move_ratio,
        covered=_covered(walk.days, warm.days),
        seconds=walk.seconds,
    )


def _points(walk: Sequence[Followed]) -> np.ndarray:
    return np.array([np.asarray(f.fit.model.to_coordinates(), dtype=float) for f in walk])


def _covered(walk: Sequence[Followed], warm: Sequence[Followed]) -> float:
    hits = []
    for one, other, point in zip(walk[1:], warm[1:], _points(warm)[1:], strict=True):
        if one.prediction is None:
            continue
        # Parameters may be more than coordinates, so that the inverse is a pseudo-inverse.
        by_coordinate = other.fit.model.coordinate_jacobian(point)
        covariance = other.fit.covariance
        if not np.isfinite(covariance).all():
            continue
        inverse = np.linalg.pinv(by_coordinate)
        own = np.diag(inverse @ covariance @ inverse.T)
        deviation = np.sqrt(np.diag(one.prediction.point_covariance) + own)
        hits += list(np.abs(point - one.prediction.point) <= _NORMAL_95 * deviation)
    return float(np.mean(hits)) if hits else np.nan


def page(folder: Path) -> Iterator[str]:
    """Yield the lines of the table."""
    yield (
        "| days | model | estimator | predicted error | error on the day | "
        "median move of coordinates | predicted intervals | update |"
    )
    yield "|---|---|---|---:|---:|---:|---:|---:|"
    for name, title in SETS.items():
        days = daily_quotes(folder, name)
        for model in MODELS:
            warm = Walk.of("warm", models.get(model), days)
            for estimator in ("filter", "penalised"):
                found = compared(Walk.of(estimator, models.get(model), days), warm)
                covered = "–" if np.isnan(found.covered) else f"{found.covered:.0%}"
                yield (
                    f"| {title} | {model} | {estimator} | {found.predicted_ratio:.3f} | "
                    f"{np.sqrt(found.cost_ratio):.3f} | {np.nanmedian(found.move_ratio):.2f} | "
                    f"{covered} | {1e3 * found.seconds:.0f} ms |"
                )


def main() -> None:
    """Measure, and replace the table in the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.following")
    parser.add_argument("--page", type=Path, default=Path("docs/following.md"))
    arguments = parser.parse_args()
    lines = list(page(Path(os.environ["LEVY_MARKET_DATA"])))
    print("\n".join(lines))
    before, _, rest = arguments.page.read_text(encoding="utf-8").partition(BEGIN)
    table = "\n".join(lines)
    text = f"{before}{BEGIN}\n{table}\n\n{END}{rest.partition(END)[2]}"
    arguments.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
