"""Prices do not depend on how parameter sets and contracts are grouped."""

import numpy as np
import pytest

from levy_numerics import pricing
from levy_numerics.errors import OutsideStripError
from levy_numerics.market import Contracts
from levy_numerics.models import CGMYSato, Model, VarianceGamma
from levy_numerics.pricing.sinh import SinhPricer
from tests.numerics.models.members import every_model
from tests.numerics.pricing.domain import members

every_method = pytest.mark.parametrize("method", pricing.methods())


def batch(models: list[Model]) -> Model:
    cls = type(models[0])
    return cls(**{n: np.array([getattr(m, n) for m in models]) for n in models[0].as_mapping()})


def surface() -> Contracts:
    return Contracts.grid(
        spot=100.0,
        rate=0.05,
        dividend_yield=0.01,
        strikes=[60.0, 95.0, 105.0, 150.0],
        maturities=[0.02, 0.3, 1.0],
        is_call=[[True, False, True, False]] * 3,
    )


def ragged(count: int) -> Contracts:
    """Return contracts like quotes: several strikes at each of some maturities, unordered."""
    rng = np.random.default_rng(7)
    years = rng.choice(
        [0.02, 0.1, 0.25, 0.5, 1.0, 2.0], size=count, p=[0.5, 0.3, 0.1, 0.05, 0.03, 0.02]
    )
    return Contracts.of(
        maturity_years=years,
        strike=100.0 * np.exp(rng.uniform(-0.5, 0.5, count)),
        forward=100.0 * np.exp(0.02 * years),
        discount=np.exp(-0.03 * years),
        is_call=rng.random(count) < 0.5,
    )


@every_method
@every_model
def test_a_batch_is_priced_like_its_members_one_by_one(cls, method):
    chosen = members(cls, 4, "batches")
    together = pricing.price(batch(chosen), surface(), method=method)
    assert together.value.shape == together.error.shape == (4, 12)
    for i, model in enumerate(chosen):
        alone = pricing.price(model, surface(), method=method)
        slack = together.error[i] + alone.error
        assert np.all(np.abs(together.value[i] - alone.value) <= slack)


@every_method
def test_a_batch_may_share_a_parameter(method):
    shared = VarianceGamma(sigma=np.array([0.1, 0.2, 0.3]), nu=0.3, theta=-0.1)
    apart = VarianceGamma(sigma=shared.sigma, nu=np.full(3, 0.3), theta=np.full(3, -0.1))
    actual = [pricing.price(each, surface(), method=method).value for each in (shared, apart)]
    np.testing.assert_allclose(*actual, rtol=1e-13, atol=1e-9)


def test_a_large_batch_is_priced_like_its_members():
    chosen = members(VarianceGamma, 300, "large batch")
    together = pricing.price(batch(chosen), surface())
    for i in range(0, 300, 37):
        alone = pricing.price(chosen[i], surface())
        np.testing.assert_allclose(together.value[i], alone.value, atol=2e-8)
    assert np.mean(together.error <= 1e-10 * surface().forward) > 0.99


@every_method
def test_a_contract_has_the_same_price_alone_and_among_others(method):
    contracts = ragged(40)
    together = pricing.price(VarianceGamma.example(), contracts, method=method)
    for i in range(contracts.size):
        alone = pricing.price(VarianceGamma.example(), contracts.select([i]), method=method)
        slack = together.error[i] + alone.error[0]
        assert abs(together.value[i] - alone.value[0]) <= slack


@every_method
def test_the_order_of_contracts_does_not_matter(method):
    contracts = ragged(40)
    shuffled = np.random.default_rng(1).permutation(40)
    straight = pricing.price(VarianceGamma.example(), contracts, method=method).value
    back = pricing.price(VarianceGamma.example(), contracts.select(shuffled), method=method).value
    np.testing.assert_allclose(back, straight[shuffled], rtol=1e-12, atol=1e-12)


def test_a_thousand_ragged_contracts_are_right():
    contracts = ragged(1000)
    actual = pricing.price(VarianceGamma.example(), contracts)
    true = pricing.price(VarianceGamma.example(), contracts, method="lewis")
    assert np.all(np.abs(actual.value - true.value) <= 1e-10 * contracts.forward)
    assert np.all(actual.error <= 1e-10 * contracts.forward)


def test_a_reused_pricer_gives_the_prices_of_a_new_one():
    """Tables that were computed for an easy model are valid for a hard one, and vice versa."""
    contracts = surface()
    pricer = pricing.SinhPricer(contracts)
    for model in members(VarianceGamma, 12, "one pricer"):
        again = pricer.price(model)
        fresh = pricing.price(model, contracts)
        assert np.all(np.abs(again.value - fresh.value) <= again.error + fresh.error)
        assert np.all(again.error <= 1e-10 * contracts.forward)


# At T = 4 the tail of upward jumps is too heavy: λ₋ = 2/4 < 1.
UNBOUNDED = CGMYSato(C=0.5, G=5.0, M=2.0, Y=0.5, gamma=1.0)
LONG = Contracts.of(maturity_years=[0.5, 4.0], strike=1.0, forward=1.0)


@every_method
def test_a_maturity_without_a_forward_is_rejected(method):
    with pytest.raises(OutsideStripError, match=r"infinite .* at T = 4"):
        pricing.price(UNBOUNDED, LONG, method=method)


def test_in_a_batch_only_the_set_without_a_forward_has_no_price():
    both = batch([UNBOUNDED, CGMYSato(C=0.5, G=5.0, M=20.0, Y=0.5, gamma=1.0)])
    actual = pricing.price(both, LONG)
    assert np.isnan(actual.value[0, 1])
    assert np.isinf(actual.error[0, 1])
    assert np.all(np.isfinite(np.delete(actual.value.ravel(), 1)))


def test_a_shared_contour_suffices_for_every_set_that_has_a_forward():
    sets = VarianceGamma(
        sigma=np.array([0.1, 0.4, 2.0]), nu=np.array([1.0, 0.05, 1.0]), theta=np.array([-0.1] * 3)
    )
    assert not sets.forward_exists(1.0)[2]
    pricer = SinhPricer(surface(), 1e-9)
    error = pricer.price_on(pricer.shared_contour(sets), sets.select([0, 1])).error
    assert np.all(error <= 1e-9 * surface().forward)
    with pytest.raises(OutsideStripError):
        pricer.shared_contour(sets.select([2]))


def test_a_pricer_for_another_thread_copies_the_tables():
    pricer, model = SinhPricer(surface(), 1e-9), VarianceGamma.example()
    pricer.price(model)
    fork = pricer.for_contracts(surface())
    narrow = fork.price(VarianceGamma(sigma=0.01, nu=0.1, theta=0.0))
    assert np.all(narrow.error <= 1e-9 * surface().forward)
    before = dict(pricer._rules)
    np.testing.assert_array_equal(pricer.price(model).value, fork.price(model).value)
    assert before.keys() == pricer._rules.keys()


def test_pricers_of_one_listing_share_the_tables_that_they_add():
    listing = Contracts.grid(
        spot=100.0, rate=0.0, dividend_yield=0.0, strikes=[95, 100, 105], maturities=[0.02, 0.5]
    )
    pricer = SinhPricer(listing, 1e-9, is_repeated=True)
    pricer.price(VarianceGamma(sigma=0.3, nu=0.05, theta=0.0))
    phases = []
    for _ in range(2):
        fork = pricer.for_contracts(listing)
        fork.price(VarianceGamma(sigma=0.1, nu=1.0, theta=0.0))
        phases.append(fork._rules[0].phases)
    assert phases[0].size > pricer._rules[0].phases.size
    assert phases[0] is phases[1]
