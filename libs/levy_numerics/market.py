"""Option contracts and their quotes.

`Contracts.grid` converts spot, rate and dividend yield to the forward and the discount factor of
each maturity; all other functions use these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import numpy as np

from levy_numerics.errors import ArbitrageError, InvalidInputError

ArrayLike = Sequence[float] | np.ndarray | float

_N_INDICES_IN_MESSAGE: Final = 8
_N_CANDIDATE_WIDTHS: Final = 17
# Measured cost of one more row of a table, in contracts: it needs a characteristic function.
_ROW_COST: Final = 8


@dataclass(frozen=True)
class MaturityTable:
    """Contracts arranged by maturity in a padded rectangle.

    Attributes
    ----------
    maturity_years : ndarray, shape (n_rows,)
        Increasing. A maturity with far more contracts than most takes several rows, to keep the
        padding small.
    log_moneyness : ndarray, shape (n_rows, n_columns)
        ln(F/K); zero in the padding.
    mask : ndarray of bool, shape (n_rows, n_columns)
        False in the padding.
    position : ndarray of int, shape (n,)
        Index of each contract in the flattened table.
    """

    maturity_years: np.ndarray
    log_moneyness: np.ndarray
    mask: np.ndarray
    position: np.ndarray

    @classmethod
    def of(
        cls, maturity_years: np.ndarray, log_moneyness: np.ndarray, width: int | None = None
    ) -> Self:
        """Arrange contracts, given as arrays of shape (n,), in rows of a width, or the cheapest."""
        # A stable sort keeps the order of strikes, so that the table of a grid is that grid.
        order = np.argsort(maturity_years, kind="stable")
        sorted_years = maturity_years[order]
        starts = np.flatnonzero(is_new(sorted_years))
        counts = np.append(starts[1:], sorted_years.size) - starts
        width = width or _row_width(counts)
        n_rows = -(-counts // width)
        first_row = np.cumsum(n_rows) - n_rows
        position = np.empty_like(order)
        offset = np.repeat(first_row * width - starts, counts)
        position[order] = np.arange(sorted_years.size) + offset
        table = np.zeros((int(n_rows.sum()), width))
        mask = np.zeros(table.shape, dtype=bool)
        table.reshape(-1)[position] = log_moneyness
        mask.reshape(-1)[position] = True
        return cls(np.repeat(sorted_years[starts], n_rows), table, mask, position)

    @property
    def row(self) -> np.ndarray:
        """Row of each contract, shape (n,)."""
        return np.asarray(self.position // self.log_moneyness.shape[1])

    @property
    def column(self) -> np.ndarray:
        """Column of each contract, shape (n,)."""
        return np.asarray(self.position % self.log_moneyness.shape[1])

    @cached_property
    def maturity_groups(self) -> tuple[np.ndarray, np.ndarray]:
        """Distinct maturities, increasing, and the index into them of each contract, shape (n,)."""
        begins = is_new(self.maturity_years)
        return self.maturity_years[begins], (np.cumsum(begins) - 1)[self.row]

    @cached_property
    def forward_ratio(self) -> np.ndarray:
        """F/K; one in the padding."""
        return np.asarray(np.exp(self.log_moneyness))

    @cached_property
    def _in_order(self) -> bool:
        """Whether contracts fill the table row by row, as those of a grid do."""
        return bool(np.array_equal(self.position, np.arange(self.log_moneyness.size)))

    def to_contract_order(self, table: np.ndarray) -> np.ndarray:
        """Return values by contract, shape (…, n), from a table (…, n_rows, n_columns)."""
        raveled = table.reshape(*table.shape[:-2], -1)
        return raveled if self._in_order else raveled.take(self.position, axis=-1)

    def rows(self, which: np.ndarray) -> Self:
        """Return a table of some rows, without the positions of contracts."""
        return type(self)(
            self.maturity_years[which],
            self.log_moneyness[which],
            self.mask[which],
            np.empty(0, dtype=int),
        )


def is_new(values: np.ndarray) -> np.ndarray:
    """Return which entries differ from the one before, boolean, shape (n,)."""
    begins = np.empty(values.shape, dtype=bool)
    begins[:1] = True
    np.not_equal(values[1:], values[:-1], out=begins[1:])
    return begins


def _row_width(counts: np.ndarray) -> int:
    """Return the width of the cheapest table, given the contracts of each maturity.

    Narrow tables split maturities into several rows, wide ones contain padding.
    """
    ordered = np.sort(counts)
    if ordered[0] == ordered[-1]:
        return int(ordered[0])
    candidates = ordered[np.linspace(0, ordered.size - 1, _N_CANDIDATE_WIDTHS).round().astype(int)]
    n_rows = (-(-counts // candidates[:, None])).sum(axis=1)
    return int(candidates[np.argmin(n_rows * (candidates + _ROW_COST))])


@dataclass(frozen=True)
class Contracts:
    """European options on one underlying.

    Attributes
    ----------
    maturity_years, strike, forward, discount : ndarray, shape (n,)
        In years; in currency; in currency; present value of 1 paid at maturity.
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
        """Build a set of contracts from arrays, broadcast to a common shape and validated.

        Raises
        ------
        InvalidInputError
            Shapes do not match, arrays are empty, or a number is not finite and positive.
        """
        arrays = _broadcast(
            {
                "maturity_years": maturity_years,
                "strike": strike,
                "forward": forward,
                "discount": discount,
                "is_call": is_call,
            }
        )
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
        """Build contracts of every strike at every maturity, ordered by maturity.

        Parameters
        ----------
        spot : float
            In currency.
        rate, dividend_yield : float
            Continuously compounded, per year.
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
        """The contracts arranged by maturity."""
        return MaturityTable.of(self.maturity_years, self.log_moneyness)

    @cached_property
    def lower_bound(self) -> np.ndarray:
        """Lower no-arbitrage bound: discounted intrinsic value of the forward, shape (n,)."""
        signed = np.where(self.is_call, self.forward - self.strike, self.strike - self.forward)
        return np.asarray(self.discount * np.maximum(signed, 0.0))

    @cached_property
    def upper_bound(self) -> np.ndarray:
        """Upper no-arbitrage bound: present value of the forward (calls) or strike (puts)."""
        return np.asarray(self.discount * np.where(self.is_call, self.forward, self.strike))

    def select(self, which: Any) -> "Contracts":
        """Return the contracts that a mask or indices select."""
        return Contracts(
            self.maturity_years[which],
            self.strike[which],
            self.forward[which],
            self.discount[which],
            self.is_call[which],
        )


@dataclass(frozen=True)
class Quotes:
    """Market prices of contracts.

    Attributes
    ----------
    contracts : Contracts
    price : ndarray, shape (n,)
        Present value in currency; the mid price if there are bid and ask.
    bid, ask : ndarray of shape (n,), or None
        Present values, if available.
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
        """Build quotes after checks of shapes, signs and bid ≤ ask.

        Raises
        ------
        InvalidInputError
            Shapes differ, a price is negative or not finite, or only one of bid and ask is given.
        ArbitrageError
            A bid exceeds its ask.
        """
        checked = _price_array("price", price, contracts.size)
        if bid is None and ask is None:
            return cls(contracts, checked)
        if bid is None or ask is None:
            missing = "bid" if bid is None else "ask"
            raise InvalidInputError(f"{missing} is missing: give bid and ask, or neither")
        low = _price_array("bid", bid, contracts.size)
        high = _price_array("ask", ask, contracts.size)
        crossed = np.flatnonzero(low > high)
        if crossed.size:
            raise ArbitrageError(
                f"{crossed.size} quotes are crossed (bid above ask), first at {crossed[0]}; "
                "remove or correct them",
                crossed.tolist(),
            )
        return cls(contracts, checked, low, high)

    @property
    def size(self) -> int:
        """Number of quotes."""
        return self.contracts.size

    def select(self, which: Any) -> "Quotes":
        """Return the quotes that a mask or indices select."""
        sides = [None if side is None else side[which] for side in (self.bid, self.ask)]
        return Quotes(self.contracts.select(which), self.price[which], *sides)

    def check_bounds(self, tolerance: float = 1e-9) -> None:
        """Raise `ArbitrageError` if a price lies outside its no-arbitrage interval.

        Parameters
        ----------
        tolerance : float
            Allowed excess, as a fraction of the forward's present value.
        """
        c = self.contracts
        slack = tolerance * c.forward * c.discount
        outside = np.flatnonzero(
            ~((self.price >= c.lower_bound - slack) & (self.price <= c.upper_bound + slack))
        )
        if outside.size:
            indices = ", ".join(str(i) for i in outside[:_N_INDICES_IN_MESSAGE])
            raise ArbitrageError(
                f"{outside.size} of {self.size} prices lie outside their no-arbitrage interval "
                f"(quotes {indices}); drop them or correct forward and discount",
                outside.tolist(),
            )


def _broadcast(named: dict[str, Any]) -> dict[str, np.ndarray]:
    try:
        arrays = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v)) for v in named.values()))
    except ValueError as error:
        raise InvalidInputError(f"shapes of {', '.join(named)} do not match: {error}") from None
    if arrays[0].ndim != 1 or arrays[0].size == 0:
        raise InvalidInputError(f"{', '.join(named)} must be one-dimensional and not empty")
    # Numba compiles again for each memory layout, and broadcast arrays have strides of zero.
    return dict(zip(named, (np.ascontiguousarray(a) for a in arrays), strict=True))


def _require_positive(name: str, values: np.ndarray) -> None:
    try:
        numbers = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise InvalidInputError(f"{name} must be numbers") from None
    # The comparison is negated because NaN fails every comparison.
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
        raise InvalidInputError(
            f"{name} has shape {array.shape}; give one value for each contract, shape ({size},)"
        )
    bad = np.flatnonzero(~((array >= 0) & (array < np.inf)))
    if bad.size:
        raise InvalidInputError(
            f"{name}[{bad[0]}] = {array[bad[0]]:g} must be finite and not negative",
            field=name,
            indices=bad.tolist(),
        )
    return array
