"""Implicit-explicit steps of the partial integro-differential equation in time to go.

The diffusion is implicit, the jump integral is a convolution by FFT of values extrapolated to the
new time: the two-step backward differentiation formula, of second order with variable steps. V is
the undiscounted value, so that rates, which may jump, appear in the payoff and the shift only:

    a₁Vⁿ⁺¹ − a₂Vⁿ + a₃Vⁿ⁻¹ = Δt·[Dδ²/h²·Vⁿ⁺¹ + B((1 + w)Vⁿ − wVⁿ⁻¹)],  V ≥ payoff,

w = Δtₙ/Δtₙ₋₁, a = ((1 + 2w)/(1 + w), 1 + w, w²/(1 + w)). Steps grow in proportion to the square
root of the time to go, as the exercise boundary moves; the first, of 1/N² of the time, is an Euler
step. The constraint is met exactly at each step: policy iteration solves the linear complementarity
problem (the limit of the penalty method of Forsyth and Vetzal).

Where there is a barrier, the nodes stay in place instead of moving with the drift: the barrier is a
node, at which the value is zero, and the drift is a central difference. At a cash dividend the
value before it is that at the spot less the amount, interpolated.

References
----------
Almendral and Oosterlee (2005), Applied Numerical Mathematics 53(1), 1-18 (the scheme); Wang and
Ruuth (2008), Journal of Computational Mathematics 26(6), 838-855 (variable steps); Forsyth and
Vetzal (2002), SIAM Journal on Scientific Computing 23(6), 2095-2122.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from scipy import fft

from levy_numerics.pricing.early_exercise import kinks
from levy_numerics.pricing.early_exercise.pide_operator import Generator
from levy_numerics.pricing.early_exercise.pide_solver import solve, solve_with_obstacle
from levy_numerics.pricing.early_exercise.terms import ExerciseStyle

_PADDING: Final = 1.2
"""Period of the convolution, in lengths of the grid; the excess continues the values at the left
end and lets them tend to zero."""


@dataclass(frozen=True)
class Interval:
    """Part of the time to go with constant rates, up to a maturity.

    Attributes
    ----------
    start, end : float
        Years to go.
    rate, carry : float
        Per year.
    is_exercise : bool
        Whether the option can be exercised at its end; American ones always can.
    dividend : float
        That the stock pays at its end, in units of the strike.
    is_recorded : bool
        Whether values are recorded at its end.
    """

    start: float
    end: float
    rate: float
    carry: float
    is_exercise: bool = False
    dividend: float = 0.0
    is_recorded: bool = False


@dataclass(frozen=True)
class Record:
    """Values at one time to go, in units of the strike.

    Attributes
    ----------
    values : ndarray, shape (2, n_nodes)
        European, and with all terms.
    by_time : ndarray, shape (2, n_nodes)
        Derivatives in the time to go at a fixed node.
    shift : float
        Node minus state.
    speed : float
        Derivative of `shift` in the time to go.
    """

    values: np.ndarray
    by_time: np.ndarray
    shift: float
    speed: float


@dataclass(frozen=True)
class Sweep:
    """Result of a sweep.

    Attributes
    ----------
    records : tuple of Record
        One for each interval that is recorded.
    boundary_years, boundary : ndarray, shape (n_steps,)
        Time to go, and state below which the option is exercised; NaN where it never is.
    """

    records: tuple[Record, ...]
    boundary_years: np.ndarray
    boundary: np.ndarray


@dataclass(frozen=True)
class Frame:
    """Nodes, at which the state moves with the drift unless there is a barrier.

    Attributes
    ----------
    generator : Generator
    first : int
        Number of the first node; it lies at first·spacing.
    n_nodes : int
    is_call : bool
        Whether the state is ln(K/S), not ln(S/K).
    barrier : int or None
        Number of the node at a barrier, in the order from the first.
    is_up : bool
        Whether the option is extinguished above the barrier, not below it.
    """

    generator: Generator
    first: int
    n_nodes: int
    is_call: bool
    barrier: int | None = None
    is_up: bool = False

    @cached_property
    def z(self) -> np.ndarray:
        """Nodes, shape (n_nodes,)."""
        return self.generator.spacing * np.arange(self.first, self.first + self.n_nodes)

    @property
    def alive(self) -> slice:
        """Nodes up to the barrier, included, or all."""
        if self.barrier is None:
            return slice(0, self.n_nodes)
        return slice(0, self.barrier + 1) if self.is_up else slice(self.barrier, self.n_nodes)

    def interpolate(self, values: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return values and derivatives with respect to z, shape (…, len(z), 3).

        Parameters
        ----------
        values : ndarray, shape (…, n_nodes)
        z : ndarray, shape (k,)
        """
        spacing, alive = self.generator.spacing, self.alive
        position = z / spacing - self.first
        # Polynomials of degree 5 through six nodes on this side of the barrier.
        left = np.clip(np.floor(position).astype(int), alive.start + 2, alive.stop - 4)
        samples = values[..., left[:, None] + kinks.NODES]
        result = kinks.derivatives(samples, position - left)[..., :3]
        return np.asarray(result / np.array([1.0, spacing, spacing**2]))


@dataclass(frozen=True)
class _Tail:
    """Asymptote where a put is deep in the money, undiscounted: min(limit, cash − shares·S)."""

    cash: float = 1.0
    shares: float = 1.0
    limit: float = np.inf

    def at(self, stock: np.ndarray) -> np.ndarray:
        return np.asarray(np.minimum(self.limit, self.cash - self.shares * stock))

    def before_dividend(self, amount: float, growth: float, is_call: bool) -> "_Tail":
        """Return the asymptote before the stock pays an amount, in units of the strike."""
        if is_call:
            return replace(self, shares=self.shares + self.cash * amount / growth)
        # A stock below the amount pays all it is worth, and the put becomes cash.
        cash = self.cash + self.shares * growth * amount
        return replace(self, cash=cash, limit=min(self.limit, self.cash))


def sweep(
    frame: Frame,
    intervals: list[Interval],
    unit: float,
    n_steps: int,
    exercise: ExerciseStyle,
) -> Sweep:
    """Return put values with strike 1: European ones, and those with all terms.

    Parameters
    ----------
    frame : Frame
    intervals : list of Interval
        Contiguous, increasing in time to go.
    unit : float
        Years.
    n_steps : int
        Steps of a unit at least, if it starts at maturity, an exercise date or a dividend.
    exercise : {"european", "bermudan", "american"}
    """
    is_american = exercise == "american"
    generator, z, n, alive = frame.generator, frame.z, frame.n_nodes, frame.alive
    h = generator.spacing
    period = 2 * int(fft.next_fast_len(int(0.5 * _PADDING * n) + 1, real=True))
    symbol = generator.explicit_symbol(period)
    limit = generator.largest_step(symbol, period)
    taper = _taper(period - n)
    extended = np.zeros((2, period))
    # The first node, and those of the extension in the order of the period.
    left = z[0] - h * np.append(0, np.arange(period - n, 0, -1))
    is_cut_left = frame.barrier is not None and not frame.is_up
    is_alive = np.zeros(n, dtype=bool)
    is_alive[alive] = True
    if frame.barrier is not None:
        is_alive[frame.barrier] = False
    payoff = -np.expm1(z)
    values = np.maximum(payoff, 0.0) * np.stack([np.ones(n), is_alive])
    before, last_step = values, 0.0
    # Present value of a unit of cash, and the shares that one share of today becomes.
    discount = growth = 1.0
    european, exercised = _Tail(), _Tail()
    shift, origin, active = 0.0, 0.0, is_alive & (payoff > 0.0)
    records, boundary_years, boundary = [], [], []
    for interval in intervals:
        speed, drift = generator.drift + interval.carry, 0.0
        if frame.barrier is not None:
            # Central differences whose expectation of exp(x) is exact.
            speed, drift = 0.0, speed * h / np.sinh(h)
        for time, step in _steps(interval, origin, unit, n_steps, limit):
            w = step / last_step if last_step > 0.0 else 0.0
            a1, a2, a3 = (1.0 + 2.0 * w) / (1.0 + w), 1.0 + w, w * w / (1.0 + w)
            extended[:, :n] = a2 * values - w * before
            shift += speed * step
            discount *= np.exp(-step * interval.rate)
            growth *= np.exp(step * interval.carry)
            if is_american:
                exercised = _Tail(1.0 / discount, 1.0 / (discount * growth))
            # The extension and the first node contain the asymptotes at the left end.
            stock = growth * np.exp(left - shift)
            tails = np.stack([1.0 - stock, np.maximum(european.at(stock), exercised.at(stock))])
            if is_cut_left:
                tails[1] = 0.0
            extended[:, n:] = taper * tails[:, 1:]
            jumps = fft.irfft(fft.rfft(extended, axis=-1) * symbol, period, axis=-1)[:, :n]
            right = a2 * values - a3 * before + step * jumps
            diffusion = generator.implicit_diffusion / h**2
            low, up = (
                step * (diffusion - 0.5 * drift / h),
                step * (diffusion + 0.5 * drift / h),
            )
            payoff = -np.expm1(z - shift) / discount
            new = np.zeros_like(values)
            solve(right[0], a1, low, up, (tails[0, 0], 0.0), new[0])
            equation = (right[1, alive], a1, low, up, (tails[1, 0], 0.0))
            if is_american:
                solve_with_obstacle(*equation, payoff[alive], active[alive], new[1, alive])
                boundary_years.append(time)
                boundary.append(_boundary(new[1] - payoff, active, z) - shift)
            else:
                solve(*equation, new[1, alive])
            by_time = (a1 * new - a2 * values + a3 * before) / step
            before, values, last_step = values, new, step
        if interval.dividend > 0.0:
            cum = _before_dividend(
                frame,
                values[1],
                shift,
                interval.dividend,
                growth,
                (european, exercised),
            )
            values = np.stack([values[0], np.where(is_alive, cum, 0.0)])
            european, exercised = (
                tail.before_dividend(interval.dividend, growth, frame.is_call)
                for tail in (european, exercised)
            )
        if interval.is_exercise:
            values = np.stack([values[0], np.where(is_alive, np.maximum(values[1], payoff), 0.0)])
            exercised = _Tail(1.0 / discount, 1.0 / (discount * growth))
        if interval.is_exercise or interval.dividend > 0.0:
            origin, last_step = interval.end, 0.0
        if interval.is_recorded:
            by_time = by_time - interval.rate * values
            records.append(Record(discount * values, discount * by_time, shift, speed))
    return Sweep(tuple(records), np.array(boundary_years), np.array(boundary))


def _before_dividend(
    frame: Frame,
    values: np.ndarray,
    shift: float,
    amount: float,
    growth: float,
    tails: tuple[_Tail, _Tail],
) -> np.ndarray:
    """Return values before the stock falls by an amount, given those after, shape (n_nodes,)."""
    x = frame.z - shift
    with np.errstate(divide="ignore", invalid="ignore"):
        if frame.is_call:
            share = 1.0 - amount * np.exp(x)
            after = np.where(share > 0.0, x - np.log(share), np.inf)
        else:
            share = np.ones_like(x)
            after = np.log(np.maximum(np.exp(x) - amount, 0.0))
    z = after + shift
    inside = (z >= frame.z[0]) & (z <= frame.z[-1])
    result = np.zeros_like(values)
    result[inside] = frame.interpolate(values, z[inside])[:, 0]
    below = z < frame.z[0]
    stock = growth * np.exp(after[below])
    result[below] = np.maximum(tails[0].at(stock), tails[1].at(stock))
    return np.asarray(np.maximum(share, 0.0) * result)


def _steps(
    interval: Interval, origin: float, unit: float, n_steps: int, limit: float
) -> list[tuple[float, float]]:
    """Return ends and lengths of steps, which grow with the root of the time since origin."""
    low, high = np.sqrt((np.array([interval.start, interval.end]) - origin) / unit)
    longest = 2.0 * unit * high / n_steps
    fraction = max((high - low) * max(1.0, longest / limit), 0.25)
    n_steps = int(np.ceil(fraction * n_steps * (1.0 - 1e-12)))
    times = origin + unit * np.linspace(low, high, n_steps + 1) ** 2
    times[0], times[-1] = interval.start, interval.end
    return list(zip(times[1:].tolist(), np.diff(times).tolist(), strict=True))


def _taper(n: int) -> np.ndarray:
    """Return a smooth step from 0 to 1, shape (n,)."""
    depth = (np.arange(n) + 0.5) / n
    rise = 1.0 / depth - 1.0 / (1.0 - depth)
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(rise, -700.0, 700.0))))


def _boundary(excess: np.ndarray, active: np.ndarray, z: np.ndarray) -> float:
    """Return where the square root of value minus payoff, linear there, tends to zero."""
    nodes = np.flatnonzero(active)
    if nodes.size == 0 or nodes[-1] + 2 >= z.size:
        return np.nan
    i = nodes[-1] + 1
    one, two = np.sqrt(np.maximum(excess[i : i + 2], 0.0))
    left = z[i] - (z[1] - z[0]) * (one / (two - one) if two > one else 1.0)
    return float(np.clip(left, z[i - 1], z[i]))
