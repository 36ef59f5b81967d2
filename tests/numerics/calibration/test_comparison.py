"""Comparison of models: the error out of sample is that of quotes the fit has not seen."""

import numpy as np
import pytest

from levy_numerics.black import black_price
from levy_numerics.calibration.comparison import (
    Comparison,
    alternate_expiries,
    alternate_strikes,
    compare_one,
    ranked,
)
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import BlackScholes


def compared(*, holdout: bool = True) -> Comparison:
    """Compare on quotes of 20% volatility at every other strike, and of 25% between them."""
    contracts = Contracts.of(
        maturity_years=0.5, strike=[80.0, 90.0, 100.0, 110.0, 120.0], forward=100.0
    )
    price = black_price(
        forward=contracts.forward,
        strike=contracts.strike,
        maturity_years=contracts.maturity_years,
        discount=contracts.discount,
        vol=np.array([0.20, 0.25, 0.20, 0.25, 0.20]),
        is_call=contracts.is_call,
    )
    return compare_one(BlackScholes, Quotes.of(contracts, price), holdout=holdout)


def test_the_fit_does_not_see_the_quotes_that_judge_it() -> None:
    comparison = compared()
    assert comparison.in_sample is not None
    assert comparison.out_of_sample is not None
    assert (comparison.in_sample.n_quotes, comparison.out_of_sample.n_quotes) == (3, 2)
    assert comparison.in_sample.implied_vol_rmse < 1e-6
    assert comparison.out_of_sample.implied_vol_rmse == pytest.approx(0.05, rel=1e-3)
    assert comparison.score == comparison.out_of_sample.implied_vol_rmse


def test_without_a_holdout_the_score_is_the_error_of_the_fit() -> None:
    comparison = compared(holdout=False)
    assert comparison.in_sample is None
    assert comparison.out_of_sample is None
    assert 0.01 < comparison.score < 0.04


def test_the_model_with_the_smallest_error_is_first() -> None:
    unseen, seen = compared(), compared(holdout=False)
    assert ranked([unseen, seen]) == (seen, unseen)


def test_every_other_strike_is_kept_at_each_expiry_from_the_lowest() -> None:
    contracts = Contracts.of(
        maturity_years=[1.0, 0.5, 1.0, 0.5, 1.0], strike=[90, 110, 80, 100, 100], forward=100.0
    )
    assert alternate_strikes(contracts).tolist() == [False, False, True, True, True]


def test_expiries_that_a_fit_has_not_seen_judge_it_first() -> None:
    """Volatilities of 20% at the first, third and last expiry of four, and of 25% at the second."""
    contracts = Contracts.grid(
        spot=100.0,
        rate=0.0,
        dividend_yield=0.0,
        strikes=[80.0, 90.0, 100.0, 110.0, 120.0],
        maturities=[0.25, 0.5, 1.0, 2.0],
    )
    price = black_price(
        forward=contracts.forward,
        strike=contracts.strike,
        maturity_years=contracts.maturity_years,
        discount=contracts.discount,
        vol=np.where(contracts.maturity_years == 0.5, 0.25, 0.20),
        is_call=contracts.is_call,
    )
    comparison = compare_one(BlackScholes, Quotes.of(contracts, price))
    assert comparison.held_out_expiries is not None
    assert comparison.held_out_expiries.n_quotes == 5
    assert comparison.held_out_expiries.implied_vol_rmse == pytest.approx(0.05, rel=1e-3)
    assert comparison.score == comparison.held_out_expiries.implied_vol_rmse
    assert comparison.out_of_sample is not None
    assert comparison.out_of_sample.implied_vol_rmse < 0.03


def test_every_other_expiry_and_the_longest_are_kept() -> None:
    contracts = Contracts.of(
        maturity_years=[2.0, 0.25, 0.5, 1.0, 0.5], strike=[90, 110, 80, 100, 100], forward=100.0
    )
    assert alternate_expiries(contracts).tolist() == [True, True, False, True, False]
    assert alternate_expiries(contracts.select(slice(0, 2))).all()
