"""Implied volatility: error relative to the price's condition, and time, of several libraries.

Libraries that are not installed are skipped; docs/decisions/0003 has figures for all of them.
"""

import importlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Final

import mpmath
import numpy as np
import pyfeng as pf
import QuantLib as ql

from levy_numerics.black import black_price
from levy_numerics.implied_volatility import implied_vol
from tests.benchmarks.report import Section, Size
from tests.benchmarks.timing import median_microseconds

Solver = Callable[[np.ndarray, np.ndarray, np.ndarray], Any]
EPS: Final = float(np.finfo(float).eps)
SMALLEST_PRICE: Final = 1e-300
SIZES: Final = (200, 100_000)


def run(size: Size) -> Iterator[Section]:
    """Yield one table."""
    case = _Hard(200 if size.quick else 3000)
    section = Section(
        "Implied volatility (forward 1, maturity 1, log-moneyness ±3, total vol 0.001 to 5)",
        (
            "solver",
            "median error",
            "99%",
            "worst",
            "unsolved",
            *(f"ms for {n:,} quotes" for n in SIZES),
        ),
        note="errors in units of rounding, divided by the price's condition number if above one",
    )
    for name, solve in _solvers():
        errors, unsolved = case.errors(solve)
        took = [_milliseconds(solve, n, seconds=0.2 if size.quick else 1.0) for n in SIZES]
        quantiles = (float(q) for q in np.quantile(errors, (0.5, 0.99, 1.0)))
        section.add(name, *quantiles, unsolved, *took)
    yield section


class _Hard:
    """Out-of-the-money prices over the whole domain, with the exact vol of each rounded price."""

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(1)
        strikes, prices, conditions = list[float](), list[float](), list[float]()
        roots = list[Any]()
        while len(prices) < n:
            s = float(np.exp(rng.uniform(np.log(1e-3), np.log(5.0))))
            x = float(np.clip(rng.choice([3.0, 6.0 * s, 37.0 * s]) * rng.uniform(-1, 1), -3, 3))
            strike = float(np.exp(-x))
            price, vega = _exact(strike, s)
            if price < SMALLEST_PRICE:
                continue
            with mpmath.workdps(60):
                roots.append(s + (mpmath.mpf(float(price)) - price) / vega)
            strikes.append(strike)
            prices.append(float(price))
            conditions.append(max(1.0, float(price / (s * vega))))
        self._strike, self._price = np.array(strikes), np.array(prices)
        self._roots, self._condition = roots, np.array(conditions)

    def errors(self, solve: Solver) -> tuple[np.ndarray, int]:
        """Return the errors of solved quotes, and the number of unsolved ones."""
        found = np.asarray(solve(self._price, self._strike, self._strike >= 1.0), dtype=float)
        solved = np.isfinite(found) & (found > 0)
        relative = np.array(
            [abs(float((mpmath.mpf(v) - r) / r)) for v, r in zip(found, self._roots, strict=True)]
        )
        return (relative / (EPS * self._condition))[solved], int(np.sum(~solved))


def _exact(strike: float, s: float) -> tuple[Any, Any]:
    """Return the out-of-the-money price with forward one and its vega, to 60 digits."""
    with mpmath.workdps(60):
        k, total = mpmath.mpf(strike), mpmath.mpf(s)
        sign = 1 if strike >= 1.0 else -1
        d1 = -mpmath.log(k) / total + total / 2
        price = sign * (mpmath.ncdf(sign * d1) - k * mpmath.ncdf(sign * (d1 - total)))
        return price, mpmath.npdf(d1)


def _milliseconds(solve: Solver, n: int, seconds: float) -> float:
    """Return the time for n typical quotes: total vol 0.05 to 0.8, strikes 0.5 to 2 forwards."""
    rng = np.random.default_rng(2)
    strike, vol = np.exp(rng.uniform(-0.7, 0.7, n)), rng.uniform(0.05, 0.8, n)
    call = strike >= 1.0
    price = black_price(
        forward=1.0, strike=strike, maturity_years=1.0, discount=1.0, vol=vol, is_call=call
    )
    keep = price > 1e-12
    p, k, c = price[keep], strike[keep], call[keep]
    return median_microseconds(lambda: solve(p, k, c), seconds=seconds, at_least=3) / 1e3


def _solvers() -> Iterator[tuple[str, Solver]]:
    yield (
        "levy",
        lambda p, k, c: implied_vol(
            p, forward=1.0, strike=k, maturity_years=1.0, discount=1.0, is_call=c
        ),
    )
    yield "QuantLib blackFormulaImpliedStdDevLiRS", _quantlib
    yield "PyFENG Bsm.impvol", _pyfeng
    for package, make in (
        ("lbriv", _lbriv),
        ("py_lets_be_rational", _py_lets_be_rational),
        ("fast_vollib.jackel", _fast_vollib),
    ):
        try:
            module = importlib.import_module(package)
        except ModuleNotFoundError:
            continue
        yield package, make(module)


def _pyfeng(price: np.ndarray, strike: np.ndarray, call: np.ndarray) -> Any:
    with warnings.catch_warnings(action="ignore"):
        return pf.Bsm(0.2).impvol(price, strike, 1.0, 1.0, cp=np.where(call, 1, -1))


def _quantlib(price: np.ndarray, strike: np.ndarray, call: np.ndarray) -> list[float]:
    found = []
    for p, k, c in zip(price.tolist(), strike.tolist(), call.tolist(), strict=True):
        try:
            side = ql.Option.Call if c else ql.Option.Put
            found.append(ql.blackFormulaImpliedStdDevLiRS(side, k, 1.0, p))
        except RuntimeError:  # the iteration failed
            found.append(np.nan)
    return found


def _lbriv(module: Any) -> Solver:
    def solve(price: np.ndarray, strike: np.ndarray, call: np.ndarray) -> np.ndarray:
        found = np.empty_like(price)
        for side, sign in ((call, 1), (~call, -1)):
            found[side] = module.vectorized_implied_vol_strikes(
                price[side], 1.0, strike[side], sign
            )
        return found

    return solve


def _py_lets_be_rational(module: Any) -> Solver:
    one = module.implied_volatility_from_a_transformed_rational_guess
    return lambda price, strike, call: [
        one(p, 1.0, k, 1.0, 1.0 if c else -1.0) for p, k, c in zip(price, strike, call, strict=True)
    ]


def _fast_vollib(module: Any) -> Solver:
    def solve(price: np.ndarray, strike: np.ndarray, call: np.ndarray) -> Any:
        ones = np.ones_like(price)
        return module.jackel_iv_black(price, ones, strike, ones, call)

    return solve
