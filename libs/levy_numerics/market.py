"""Option contracts and their quotes, in forward terms.

Spot, rate and dividend yield exist only here, at the boundary; inside, a contract is a maturity,
a strike, and the forward and discount factor that belong to its maturity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import numpy as np

from levy_numerics.errors import ArbitrageError, InvalidInputError

ArrayLike = Sequence[float] | np.ndarray | float

_SHOWN_INDICES: Final = 8
_WIDTHS_TRIED: Final = 17
_ROW_COST: Final = 8
"""Cost of one more maturity row, in contracts: its characteristic function."""


@dataclass(frozen=True)
class MaturityTable:
    """Contracts laid out by maturity, padded to a rectangle.

    Attributes
    ----------
    maturity_years : ndarray, shape (n_rows,)
        Increasing. A maturity with far more contracts than most takes several rows, so that
        padding stays small.
    log_moneyness : ndarray, shape (n_rows, n_columns)
        ln(F/K); zero in the padding.
    occupied : ndarray of bool, shape (n_rows, n_columns)
    position : ndarray of int, shape (n,)
        Where each contract went, row after row.
    """

    maturity_years: np.ndarray
    log_moneyness: np.ndarray
    occupied: np.ndarray
    position: np.ndarray

    @classmethod
    def of(cls, maturity_years: np.ndarray, log_moneyness: np.ndarray) -> Self:
        """Lay out contracts, arrays of shape (n,)."""
        order = np.argsort(maturity_years, kind="stable")
        ordered = maturity_years[order]
        begins = np.flatnonzero(_begins(ordered))
        counts = np.append(begins[1:], ordered.size) - begins
        width = _row_width(counts)
        rows_each = -(-counts // width)
        first_row = np.cumsum(rows_each) - rows_each
        position = np.empty_like(order)
        position[order] = np.arange(ordered.size) + np.repeat(first_row * width - begins, counts)
        table = np.zeros((int(rows_each.sum()), width))
        occupied = np.zeros(table.shape, dtype=bool)
        table.reshape(-1)[position] = log_moneyness
        occupied.reshape(-1)[position] = True
        return cls(np.repeat(ordered[begins], rows_each), table, occupied, position)

    @property
    def row(self) -> np.ndarray:
        """Of each contract, shape (n,)."""
        return np.asarray(self.position // self.log_moneyness.shape[1])

    @property
    def column(self) -> np.ndarray:
        """Of each contract, shape (n,)."""
        return np.asarray(self.position % self.log_moneyness.shape[1])

    @cached_property
    def expiries(self) -> tuple[np.ndarray, np.ndarray]:
        """Distinct maturities, increasing; and which of them each contract has, shape (n,)."""
        begins = _begins(self.maturity_years)
        return self.maturity_years[begins], (np.cumsum(begins) - 1)[self.row]

    @cached_property
    def forward_ratio(self) -> np.ndarray:
        """F/K, one in the padding."""
        return np.asarray(np.exp(self.log_moneyness))

    @cached_property
    def _in_order(self) -> bool:
        """Whether contracts fill the table row by row, as those of a grid do."""
        return bool(np.array_equal(self.position, np.arange(self.log_moneyness.size)))

    def flat(self, table: np.ndarray) -> np.ndarray:
        """Contracts in their own order, shape (…, n), from a table (…, n_rows, n_columns)."""
        raveled = table.reshape(*table.shape[:-2], -1)
        return raveled if self._in_order else raveled.take(self.position, axis=-1)

    def rows(self, which: np.ndarray) -> Self:
        """Some of the rows; contracts can no longer be found in it."""
        return type(self)(
            self.maturity_years[which],
            self.log_moneyness[which],
            self.occupied[which],
            np.empty(0, dtype=int),
        )


def _begins(ordered: np.ndarray) -> np.ndarray:
    """Where something else begins than was before, boolean, shape (n,)."""
    begins = np.empty(ordered.shape, dtype=bool)
    begins[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    return begins


def _row_width(counts: np.ndarray) -> int:
    """Width at which the padded rows, each with a fixed cost of its own, cost least."""
    ordered = np.sort(counts)
    if ordered[0] == ordered[-1]:
        return int(ordered[0])
    candidates = ordered[np.linspace(0, ordered.size - 1, _WIDTHS_TRIED).round().astype(int)]
    n_rows = (-(-counts // candidates[:, None])).sum(axis=1)
    return int(candidates[np.argmin(n_rows * (candidates + _ROW_COST))])


@dataclass(frozen=True)
class Contracts:
    """European options on one underlying.

    Attributes
    ----------
    maturity_years, strike, forward, discount : ndarray, shape (n,)
        Years; currency; currency; present value of one at maturity.
    is_call : ndarray of bool, shape (n,)
    """

    maturity_years: np.ndarray
    strike: np.ndarray
    forward: np.ndarray
    discount: np.ndarray
    is_call: np.ndarray

    @classmethod
    def of(
        cls,
        *,
        maturity_years: ArrayLike,
        strike: ArrayLike,
        forward: ArrayLike,
        discount: ArrayLike = 1.0,
        is_call: Any = True,
    ) -> Self:
        """Broadcast against each other, check and freeze.

        Raises
        ------
        InvalidInputError
            Nothing is left, or a number is not finite and positive.
        """
        named = {
            "maturity_years": maturity_years,
            "strike": strike,
            "forward": forward,
            "discount": discount,
        }
        arrays = _broadcast({**named, "is_call": is_call})
        flags = arrays.pop("is_call")
        for name, array in arrays.items():
            _require_positive(name, array)
        return cls(**arrays, is_call=flags.astype(bool))

    @classmethod
    def grid(
        cls,
        *,
        spot: float,
        rate: float,
        dividend_yield: float,
        strikes: ArrayLike,
        maturities: ArrayLike,
        is_call: Any = True,
    ) -> Self:
        """Every strike at every maturity, in (maturity, strike) row-major order.

        Parameters
        ----------
        spot : float
            Currency.
        rate, dividend_yield : float
            Continuous, per year.
        strikes, maturities : array_like, shapes (k,) and (m,)
        is_call : bool or array_like of shape (m, k)
        """
        years = np.atleast_1d(np.asarray(maturities, dtype=float))
        strike = np.atleast_1d(np.asarray(strikes, dtype=float))
        shape = (years.size, strike.size)
        _require_positive("maturity_years", years)
        return cls.of(
            maturity_years=np.repeat(years, strike.size),
            strike=np.tile(strike, years.size),
            forward=np.repeat(spot * np.exp((rate - dividend_yield) * years), strike.size),
            discount=np.repeat(np.exp(-rate * years), strike.size),
            is_call=np.broadcast_to(is_call, shape).ravel(),
        )

    @property
    def size(self) -> int:
        """Number of contracts."""
        return int(self.strike.size)

    @cached_property
    def log_moneyness(self) -> np.ndarray:
        """ln(F/K), shape (n,)."""
        return np.asarray(np.log(self.forward / self.strike))

    @cached_property
    def by_maturity(self) -> MaturityTable:
        """The contracts laid out by maturity."""
        return MaturityTable.of(self.maturity_years, self.log_moneyness)

    @cached_property
    def lower_bound(self) -> np.ndarray:
        """Discounted intrinsic value of the forward, shape (n,): no arbitrage below."""
        signed = np.where(self.is_call, self.forward - self.strike, self.strike - self.forward)
        return np.asarray(self.discount * np.maximum(signed, 0.0))

    @cached_property
    def upper_bound(self) -> np.ndarray:
        """Present value of the forward (calls) or of the strike (puts): no arbitrage above."""
        return np.asarray(self.discount * np.where(self.is_call, self.forward, self.strike))

    def select(self, which: Any) -> "Contracts":
        """Contracts picked by a mask or by indices."""
        return Contracts(
            self.maturity_years[which],
            self.strike[which],
            self.forward[which],
            self.discount[which],
            self.is_call[which],
        )


@dataclass(frozen=True)
class Quotes:
    """What the market asks for contracts.

    Attributes
    ----------
    contracts : Contracts
    price : ndarray, shape (n,)
        Present value, currency; the mid where there are two sides.
    bid, ask : ndarray of shape (n,), or None
        Present values, where both sides are known.
    """

    contracts: Contracts
    price: np.ndarray
    bid: np.ndarray | None = None
    ask: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        contracts: Contracts,
        price: ArrayLike,
        *,
        bid: ArrayLike | None = None,
        ask: ArrayLike | None = None,
    ) -> Self:
        """Check shapes, signs and the order bid ≤ price ≤ ask.

        Raises
        ------
        InvalidInputError
            Shapes differ, a price is negative or not finite, or only one side is given.
        ArbitrageError
            A bid is above its ask.
        """
        checked = _price_array("price", price, contracts.size)
        if bid is None and ask is None:
            return cls(contracts, checked)
        if bid is None or ask is None:
            raise InvalidInputError("bid and ask go together; one of them is missing")
        low = _price_array("bid", bid, contracts.size)
        high = _price_array("ask", ask, contracts.size)
        crossed = np.flatnonzero(low > high)
        if crossed.size:
            raise ArbitrageError(
                f"{crossed.size} quotes are crossed (bid above ask), first at {crossed[0]}",
                crossed.tolist(),
            )
        return cls(contracts, checked, low, high)

    @property
    def size(self) -> int:
        """Number of quotes."""
        return self.contracts.size

    def select(self, which: Any) -> "Quotes":
        """Quotes picked by a mask or by indices."""
        sides = [None if side is None else side[which] for side in (self.bid, self.ask)]
        return Quotes(self.contracts.select(which), self.price[which], *sides)

    def check_bounds(self, tolerance: float = 1e-9) -> None:
        """Raise `ArbitrageError` where a price lies outside its no-arbitrage interval.

        Parameters
        ----------
        tolerance : float
            Slack, as a fraction of the forward's present value.
        """
        c = self.contracts
        slack = tolerance * c.forward * c.discount
        outside = np.flatnonzero(
            ~((self.price >= c.lower_bound - slack) & (self.price <= c.upper_bound + slack))
        )
        if outside.size:
            shown = ", ".join(str(i) for i in outside[:_SHOWN_INDICES])
            raise ArbitrageError(
                f"{outside.size} of {self.size} prices lie outside their no-arbitrage interval "
                f"(quotes {shown}); drop them or correct forward and discount",
                outside.tolist(),
            )


def _broadcast(named: dict[str, Any]) -> dict[str, np.ndarray]:
    try:
        arrays = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v)) for v in named.values()))
    except ValueError as error:
        raise InvalidInputError(f"shapes of {', '.join(named)} do not match: {error}") from None
    if arrays[0].ndim != 1 or arrays[0].size == 0:
        raise InvalidInputError("contracts form a list of at least one")
    return dict(zip(named, (np.ascontiguousarray(a) for a in arrays), strict=True))


def _require_positive(name: str, values: np.ndarray) -> None:
    try:
        numbers = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise InvalidInputError(f"{name} must be numbers") from None
    if not (numbers.min(initial=np.inf) > 0 and numbers.max(initial=0.0) < np.inf):
        bad = np.flatnonzero(~((numbers > 0) & (numbers < np.inf)))
        raise InvalidInputError(
            f"{name}[{bad[0]}] = {numbers[bad[0]]:g} must be finite and positive",
            field=name,
            indices=bad.tolist(),
        )


def _price_array(name: str, values: ArrayLike, size: int) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if array.shape != (size,):
        raise InvalidInputError(f"{name} has shape {array.shape}, the contracts ({size},)")
    bad = np.flatnonzero(~((array >= 0) & (array < np.inf)))
    if bad.size:
        raise InvalidInputError(
            f"{name}[{bad[0]}] = {array[bad[0]]:g} must be finite and not negative",
            field=name,
            indices=bad.tolist(),
        )
    return array
