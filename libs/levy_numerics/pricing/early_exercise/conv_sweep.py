"""One sweep backwards in time over a grid of the log price."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from levy_numerics.pricing.early_exercise import kinks
from levy_numerics.pricing.early_exercise.conv_grid import Grid
from levy_numerics.pricing.early_exercise.schedule import Segment


@dataclass(frozen=True)
class KnockOut:
    """Barrier of each row.

    Attributes
    ----------
    level : ndarray, shape (n_rows,)
        In the state's coordinate.
    is_up : bool
        Whether values above it are zero, rather than those below.
    """

    level: np.ndarray
    is_up: bool


@dataclass(frozen=True)
class Sweep:
    """Values on the grid, in units of the strike.

    Attributes
    ----------
    premium, european, by_time : ndarray, shape (n_records, n_nodes)
        Value minus European value, European value, and the premium's derivative in the time to go.
    boundary_years, boundary : ndarray, shape (n_dates,)
        Time to go, and state of the exercise boundary of the first row, NaN where there is none.
    """

    premium: np.ndarray
    european: np.ndarray
    by_time: np.ndarray
    boundary_years: np.ndarray
    boundary: np.ndarray

    def scaled(self, weight: float) -> "Sweep":
        """Return values times a weight."""
        return replace(
            self,
            premium=weight * self.premium,
            european=weight * self.european,
            by_time=weight * self.by_time,
        )

    def plus(self, other: "Sweep") -> "Sweep":
        """Return the sum of values, with the boundary of the other."""
        return replace(
            other,
            premium=self.premium + other.premium,
            european=self.european + other.european,
            by_time=self.by_time + other.by_time,
        )


def sweep(grid: Grid, segments: Sequence[Segment], knock_out: KnockOut | None = None) -> Sweep:
    """Go backwards through the segments.

    Rows of all segments are those of the first, and further ones that start with a segment. The
    payoff of each row is that of a put with strike 1.
    """
    payoff, start = grid.payoff, _start(grid)
    start_transform = grid.transform(start)
    values = np.empty((0, grid.n_nodes))
    european = np.empty((0, start_transform.size), dtype=complex)
    records, times, boundary, to_go = [], [], [], 0.0
    for segment in segments:
        n_new = segment.n_rows - len(values)
        if n_new:
            added = np.tile(start, (n_new, 1))
            if segment.knock_out_start and knock_out is not None:
                _add(added, *_knock_out(grid, added, knock_out, len(values)))
            values = np.concatenate([values, added])
            european = np.concatenate([european, np.tile(start_transform, (n_new, 1))])
        symbol = grid.symbol(segment.step, segment.rate, segment.carry)
        european = european * symbol**segment.n_steps
        for k in range(segment.n_steps):
            transform = grid.transform(values) * symbol
            values = grid.inverse(transform)
            corrections = []
            to_go += segment.step
            if segment.exercise:
                state, correction = _exercise(grid, values, payoff)
                corrections.append(correction)
                times.append(to_go)
                boundary.append(state)
            if segment.knock_out and knock_out is not None:
                corrections.append(_knock_out(grid, values, knock_out, 0))
            if segment.recorded and k == segment.n_steps - 1:
                generator = grid.generator(segment.rate, segment.carry)
                on_grid = grid.inverse(european)
                by_time = grid.inverse(generator * (transform - european))
                records.append((values - on_grid, on_grid, by_time))
            for correction in corrections:
                _add(values, *correction)
    premium, on_grid, by_time = (np.concatenate(parts) for parts in zip(*records, strict=True))
    return Sweep(premium, on_grid, by_time, np.array(times), np.array(boundary))


def _start(grid: Grid) -> np.ndarray:
    """Return the payoff, corrected for its kink, shape (n_nodes,)."""
    values: np.ndarray = np.maximum(grid.payoff, 0.0)
    h = grid.spacing
    # Right of the strike the payoff's derivatives are 0 instead of −1.
    jumps = h ** np.arange(4.0) * (0.0, 1.0, 1.0, 1.0)
    values[kinks.NODES - grid.first] += kinks.weights(np.array(0.0), jumps)
    return values


def _exercise(
    grid: Grid, values: np.ndarray, payoff: np.ndarray
) -> tuple[float, tuple[np.ndarray, np.ndarray]]:
    """Exercise where this is worth more, in place.

    Return the boundary of the first row, and the nodes and values of the corrections.
    """
    excess = values - payoff
    # A European value of the taper's region may lie below the payoff without a meaning.
    inner = grid.n_nodes // 8
    is_exercised = excess[:, inner:] <= 0.0
    has_boundary = is_exercised.any(axis=1)
    left = grid.n_nodes - 1 - np.argmax(is_exercised[:, ::-1], axis=1)
    left = np.where(has_boundary, np.minimum(left, grid.n_nodes - 4), grid.n_nodes // 2)
    nodes = left[:, None] + kinks.NODES
    theta, jumps = kinks.root(np.take_along_axis(excess, nodes, axis=1))
    np.maximum(values, payoff, out=values)
    added = np.where(has_boundary[:, None], kinks.weights(theta, jumps), 0.0)
    state = (left[0] + theta[0] + grid.first) * grid.spacing if has_boundary[0] else np.nan
    return float(state), (nodes, added)


def _knock_out(
    grid: Grid, values: np.ndarray, knock_out: KnockOut, first_row: int
) -> tuple[np.ndarray, np.ndarray]:
    """Set values beyond the barrier to zero, in place; return nodes and values of corrections."""
    level = knock_out.level[first_row : first_row + len(values)]
    position = level / grid.spacing - grid.first
    left = np.clip(np.floor(position).astype(int), 6, grid.n_nodes - 8)
    theta = np.clip(position - left, 0.0, 1.0)
    is_right = np.arange(grid.n_nodes) > left[:, None]
    # Polynomials through the six nodes that remain next to the barrier.
    shift = -3 if knock_out.is_up else 3
    samples = np.take_along_axis(values, left[:, None] + kinks.NODES + shift, axis=1)
    jumps = kinks.derivatives(samples, theta - shift)
    values[is_right if knock_out.is_up else ~is_right] = 0.0
    added = kinks.weights(theta, -jumps if knock_out.is_up else jumps)
    return left[:, None] + kinks.NODES, added


def _add(values: np.ndarray, nodes: np.ndarray, added: np.ndarray) -> None:
    """Add corrections to rows of values, in place."""
    values[np.arange(len(values))[:, None], nodes] += added
