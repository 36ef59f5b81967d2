"""Steps of a backward sweep: between maturities, exercise dates and monitoring dates."""

from dataclasses import dataclass

import numpy as np

from levy_numerics.pricing.early_exercise.market_path import MarketPath
from levy_numerics.pricing.early_exercise.terms import Terms


@dataclass(frozen=True)
class Segment:
    """Equal steps backwards in time with the same rates.

    Attributes
    ----------
    step : float
        Years.
    rate, carry : float
        Per year.
    n_steps : int
    n_rows : int
        Rows from this segment on; the new ones start with their payoff.
    exercise : bool
        Whether the options can be exercised after each step.
    knock_out : bool
        Whether the barrier is monitored after each step.
    knock_out_start : bool
        Whether it is monitored at the maturity of the rows that start.
    recorded : bool
        Whether values are recorded at the end.
    """

    step: float
    rate: float
    carry: float
    n_steps: int
    n_rows: int = 1
    exercise: bool = False
    knock_out: bool = False
    knock_out_start: bool = False
    recorded: bool = False


def time_to_go_segments(path: MarketPath, n_dates: int, refinement: int) -> list[Segment]:
    """Return the segments of one row at constant rates, recorded at every maturity.

    Parameters
    ----------
    path : MarketPath
    n_dates : int
        Exercise dates until the first maturity before refinement; 0 for European options.
    refinement : int
        Factor of the number of steps of American options, the same on all intervals, so that
        errors are powers of it.
    """
    segments, start = [], 0.0
    for years, rate, carry in zip(path.years, path.rate, path.carry, strict=True):
        length = years - start
        n_steps = 1 if n_dates == 0 else refinement * _n_steps(length, years, n_dates)
        segments.append(
            Segment(length / n_steps, rate, carry, n_steps, exercise=n_dates > 0, recorded=True)
        )
        start = years
    return segments


def calendar_segments(
    path: MarketPath, row_years: np.ndarray, terms: Terms, n_dates: int, refinement: int
) -> list[Segment]:
    """Return the segments from the last maturity to today.

    Parameters
    ----------
    path : MarketPath
    row_years : ndarray, shape (n_rows,)
        Maturity of each row, decreasing.
    terms : Terms
    n_dates : int
        Exercise dates of American options until the first maturity before refinement.
    refinement : int
        As in `time_to_go_segments`.
    """
    monitored = () if terms.barrier is None else terms.barrier.dates
    last = float(row_years[0])
    times = _merged([*path.years, *terms.exercise_dates, *monitored], last)
    is_american = terms.exercise == "american"
    segments = []
    for end, start in zip(times[:0:-1], times[-2::-1], strict=True):
        i = path.interval(end)
        length = end - start
        n_rows = int(np.sum(row_years >= end * (1.0 - _SAME)))
        knock_out = _contains(monitored, start)
        n_steps = 1
        if is_american:
            n_steps = refinement * _n_steps(length, float(path.years[i]), n_dates)
        rates = (length / n_steps, float(path.rate[i]), float(path.carry[i]))
        exercise = is_american or _contains(terms.exercise_dates, start)
        knock_out_start = _contains(monitored, end)
        if knock_out and n_steps > 1:
            segments.append(Segment(*rates, n_steps - 1, n_rows, exercise, False, knock_out_start))
            n_steps, knock_out_start = 1, False
        segments.append(
            Segment(
                *rates, n_steps, n_rows, exercise, knock_out, knock_out_start, recorded=start == 0.0
            )
        )
    return segments


def _n_steps(length: float, years: float, n_dates: int) -> int:
    """Return steps of an interval that are at most `years`/`n_dates` long."""
    return max(1, int(np.ceil(length / years * n_dates * (1.0 - 1e-12))))


_SAME = 1e-9
"""Relative difference of times that count as one."""


def _merged(times: list[float], last: float) -> list[float]:
    """Return zero and the distinct times until the last, increasing."""
    merged = [0.0]
    for time in sorted(times):
        if time > merged[-1] * (1.0 + _SAME) and time <= last * (1.0 + _SAME):
            merged.append(float(time))
    return merged


def _contains(dates: tuple[float, ...], time: float) -> bool:
    return any(abs(date - time) <= _SAME * date for date in dates)
