"""Grids of finite differences, and the intervals of time to go of their sweeps."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics.errors import UnsupportedError
from levy_numerics.market import Contracts
from levy_numerics.pricing.early_exercise.conv_grid import Side
from levy_numerics.pricing.early_exercise.market_path import MarketPath
from levy_numerics.pricing.early_exercise.pide_operator import Generator
from levy_numerics.pricing.early_exercise.pide_sweep import Frame, Interval
from levy_numerics.pricing.early_exercise.terms import Terms

_MARGIN: Final = 8
"""Nodes beyond those that are needed, for interpolation."""
_MAX_NODES: Final = 2**16


@dataclass(frozen=True)
class Accuracy:
    """Discretisation of the finest grid.

    Attributes
    ----------
    spacing : float
        In standard deviations of the log-return until the first maturity.
    n_steps : int
        Until the first maturity.
    tail : float
        Probability that the log-return leaves the grid.
    coarsening : int
        Factor of the spacing that results.
    """

    spacing: float
    n_steps: int
    tail: float
    coarsening: int = 1

    @classmethod
    def of(cls, tolerance: float) -> "Accuracy":
        """Return the discretisation for an error, as a fraction of the spot."""
        # Extrapolated errors fall tenfold from one grid to the next.
        spacing = float(np.clip(0.02 * (tolerance / 1e-5) ** 0.3, 0.004, 0.04))
        return cls(
            spacing,
            int(np.ceil(2.0 / spacing)),
            float(np.clip(0.001 * tolerance, 1e-12, 1e-8)),
        )

    def coarser(self, factor: int) -> "Accuracy":
        """Return a discretisation with fewer nodes and steps."""
        return Accuracy(self.spacing * factor, max(self.n_steps // factor, 4), self.tail, factor)


@dataclass(frozen=True)
class ContractGrid:
    """Contracts of one type that share a grid.

    Attributes
    ----------
    side : Side
    state : ndarray, shape (n,)
        ln(S/K) of puts, ln(K/S) of calls.
    group : ndarray of int, shape (n,)
        Index of each contract's maturity.
    path : MarketPath
    terms : Terms
    strike : float
        That of the first contract: all have it where there is a barrier or a dividend.
    """

    side: Side
    state: np.ndarray
    group: np.ndarray
    path: MarketPath
    terms: Terms
    strike: float

    @classmethod
    def of(
        cls,
        side: Side,
        contracts: Contracts,
        path: MarketPath,
        spot: float,
        terms: Terms,
    ) -> "ContractGrid":
        """Return the grid of contracts whose maturities are those of the path."""
        group = np.searchsorted(path.years, contracts.maturity_years)
        state = side.sign * np.log(spot / contracts.strike)
        return cls(side, state, group, path, terms, float(contracts.strike[0]))

    @property
    def unit(self) -> float:
        """Shortest maturity, in years."""
        return float(self.path.years[self.group.min()])

    @property
    def is_one_sweep(self) -> bool:
        """Whether all maturities are moments of one sweep in time to go."""
        terms = self.terms
        return self.path.is_flat and terms.is_homogeneous and terms.exercise != "bermudan"

    def sweeps(self) -> list[tuple[list[Interval], list[int]]]:
        """Return the intervals of each sweep, and the maturities that it records."""
        path, terms = self.path, self.terms
        rates = [
            self.side.rates(r, c)
            for r, c in zip(path.rate.tolist(), path.carry.tolist(), strict=True)
        ]
        groups = np.unique(self.group).tolist()
        if self.is_one_sweep:
            ends = path.years[groups]
            intervals = [
                Interval(start, end, *rates[-1], is_recorded=True)
                for start, end in zip(np.append(0.0, ends[:-1]), ends, strict=True)
            ]
            return [(intervals, groups)]
        amounts = {d.years: d.amount / self.strike for d in terms.dividends if d.amount > 0.0}
        sweeps = []
        for group in groups:
            maturity = path.years[group]
            dates = np.concatenate([[0.0], path.years, terms.exercise_dates, list(amounts)])
            times = np.append(np.unique(dates[dates < maturity]), maturity).tolist()
            intervals = [
                Interval(
                    maturity - later,
                    maturity - earlier,
                    *rates[path.interval(later)],
                    is_exercise=earlier in terms.exercise_dates
                    or (terms.exercise == "american" and earlier in amounts),
                    dividend=amounts.get(earlier, 0.0),
                    is_recorded=earlier == 0.0,
                )
                for earlier, later in zip(times[-2::-1], times[:0:-1], strict=True)
            ]
            sweeps.append((intervals, [group]))
        return sweeps

    def frame(self, accuracy: Accuracy) -> Frame:
        """Return nodes that cover the state of all contracts and its moves until the end."""
        side, n = self.side, int(self.group.max()) + 1
        steps = np.diff(self.path.years[:n], prepend=0.0)
        longest = float(self.path.years[n - 1])
        _, carry = side.rates(self.path.rate[:n], self.path.carry[:n])
        mean = float(np.sum(carry * steps)) / longest
        log_tail = float(np.log(accuracy.tail))
        down, up = (side.reach(longest, mean, log_tail, direction) for direction in (-1.0, 1.0))
        states = np.append(self.state, [0.0, self._after_dividends(longest)])
        spacing = accuracy.spacing * side.standard_deviation(self.unit)
        spacing = max(spacing, (down + up + float(np.ptp(states))) / _MAX_NODES)
        barrier = self.terms.barrier
        level = 0.0
        if barrier is not None:
            level = side.sign * float(np.log(barrier.level / self.strike))
            # The strike, at zero, and the barrier are nodes of all grids.
            n_nodes = 4 * np.ceil(abs(level) * accuracy.coarsening / (4.0 * spacing))
            spacing = abs(level) * accuracy.coarsening / n_nodes if n_nodes > 0 else spacing
            if spacing < (down + up) / _MAX_NODES:
                raise UnsupportedError(
                    f"barrier {barrier.level:g} is too close to the strike {self.strike:g} for a "
                    "grid with a node at both; move the strike to the barrier or away from it"
                )
        generator = Generator.of(side, spacing, max(down, up))
        speed = generator.drift + carry
        shifts = np.zeros(1)
        if barrier is None:
            shifts = np.append(0.0, np.cumsum(speed * steps))
        elif generator.implicit_diffusion < 0.5 * spacing * float(np.max(np.abs(speed))):
            raise UnsupportedError(
                "a barrier that is monitored continuously requires a model with a diffusion or "
                f"jumps of infinite variation; for {side.model.name} with these parameters give "
                "monitoring dates and choose conv"
            )
        low = min(float(states.min() + shifts.min()) - down, level)
        high = max(float(states.max() + shifts.max()) + up, level)
        first = int(np.floor(low / spacing)) - _MARGIN
        last = int(np.ceil(high / spacing)) + _MARGIN
        nodes = (first, last - first + 1, side.is_call)
        if barrier is None:
            return Frame(generator, *nodes)
        is_up = barrier.is_up != side.is_call
        return Frame(generator, *nodes, round(level / spacing) - first, is_up)

    def _after_dividends(self, longest: float) -> float:
        """Return the state that the first contract has after all dividends."""
        total = sum(d.amount for d in self.terms.dividends if d.years < longest)
        spot = self.strike * float(np.exp(self.side.sign * self.state[0]))
        return self.side.sign * float(np.log((spot - total) / self.strike))
