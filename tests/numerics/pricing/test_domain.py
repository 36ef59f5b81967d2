"""Accuracy of the default method over the whole domain of every model.

Parameters through their typical ranges, one day to five years, half to double the forward.
"""

import numpy as np
import pytest

from levy_numerics import pricing
from tests.numerics.models.members import every_model
from tests.numerics.pricing.closed_forms import CLOSED_FORMS
from tests.numerics.pricing.domain import explore

# As a fraction of the forward.
PROMISE = 1e-10
FEW, SOME, MANY = 10, 40, 400

many = pytest.param(MANY, marks=pytest.mark.slow)
few_or_many = pytest.mark.parametrize("count", [FEW, many], ids=["few", "many"])
some_or_many = pytest.mark.parametrize("count", [SOME, many], ids=["some", "many"])


@some_or_many
@every_model
def test_sinh_meets_its_tolerance_and_bounds_its_error(cls, count):
    actual = explore(cls.name, "sinh", count)
    assert len(actual.cases) > 0.5 * count
    assert np.max(actual.doubt) < 1e-12
    assert np.max(actual.miss) < PROMISE
    assert np.all(actual.miss <= actual.error + actual.doubt)
    assert np.mean(actual.error <= PROMISE) >= 0.99


@pytest.mark.parametrize("tolerance", [1e-5, 1e-8, 1e-12])
@every_model
def test_one_contract_alone_is_priced_to_any_tolerance(cls, tolerance):
    """A single option, so that no other option's larger error can cover its own."""
    actual = explore(cls.name, "sinh", FEW)
    for i, (model, contracts) in enumerate(actual.cases):
        one = i % contracts.size
        alone = pricing.price(model, contracts.select([one]), tolerance=tolerance)
        miss = abs(alone.value[0] - actual.true[i, one])
        assert miss <= alone.error[0] + actual.doubt[i, one]
        assert miss <= tolerance


@pytest.mark.slow
@pytest.mark.parametrize("tolerance", [1e-6, 1e-8, 1e-12])
@every_model
def test_every_tolerance_is_met(cls, tolerance):
    actual = explore(cls.name, "sinh", MANY, tolerance)
    assert np.max(actual.miss) < tolerance
    assert np.all(actual.miss <= actual.error + actual.doubt)
    assert np.mean(actual.error <= tolerance) >= 0.99


@some_or_many
@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_the_referee_agrees_with_mixtures_of_black_scholes(name, count):
    actual = explore(name, "lewis", count, 1e-13)
    exact = np.stack([CLOSED_FORMS[name](m, c) for m, c in actual.cases])
    # The gamma density itself is accurate to some thousand roundings, at T = 1000ν.
    assert np.max(np.abs(actual.value - exact)) < 1e-12


@few_or_many
@pytest.mark.parametrize("method", [m for m in pricing.methods() if m != "sinh"])
@every_model
def test_every_method_bounds_its_error(cls, method, count):
    actual = explore(cls.name, method, count, 1e-8)
    assert np.all(actual.miss <= actual.error + actual.doubt)
