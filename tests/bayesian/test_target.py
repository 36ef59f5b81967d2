"""The compiled log density: accuracy of its prices, and sharing of compiled programs."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from levy_numerics import models, pricing
from levy_numerics.calibration import calibrate
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.priors import Priors
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import VarianceGamma
from levy_numerics.pricing.sinh import SinhPricer

jax = pytest.importorskip("jax")
target = pytest.importorskip("levy_bayesian.samplers.target")
sinh_jax = pytest.importorskip("levy_numerics.pricing.sinh_jax")

CONTRACTS = Contracts.grid(
    spot=100.0,
    rate=0.02,
    dividend_yield=0.0,
    strikes=np.linspace(70.0, 140.0, 15),
    maturities=[0.1, 0.5, 1.0],
)


@pytest.fixture(autouse=True)
def doubles() -> Iterator[None]:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def posterior(noise: float, weights: str = "price") -> Posterior:
    model = VarianceGamma(sigma=0.2, nu=0.3, theta=-0.15)
    exact = pricing.price(model, CONTRACTS).value
    errors = noise * np.random.default_rng(3).standard_normal(exact.size)
    inside = np.clip(exact + errors, CONTRACTS.lower_bound + 1e-6, CONTRACTS.upper_bound)
    return Posterior.of(
        Quotes.of(CONTRACTS, inside), Priors.default(VarianceGamma), weights=weights
    )


@pytest.mark.parametrize("weights", ["price", "vega"])
@pytest.mark.parametrize("noise", [1e-4, 0.1])
def test_prices_err_by_a_hundredth_of_the_noise_at_most(noise: float, weights: str) -> None:
    made = target.Target.of(posterior(noise, weights))
    v = np.random.default_rng(1).standard_normal((1, 400, made.size))
    assert made.draws(v, {}).price_error < 0.01


def test_surfaces_much_alike_share_what_is_compiled() -> None:
    first = target.Target.of(posterior(0.1))
    quotes = first.posterior.quotes
    moved = replace(first.posterior, quotes=Quotes.of(CONTRACTS, quotes.price + 1e-3))
    second = target.Target.of(moved)
    assert second.shapes == first.shapes
    assert second.density == first.density


def part(quotes: Quotes, kept: np.ndarray) -> Quotes:
    fields = ("maturity_years", "strike", "forward", "discount", "is_call")
    c = Contracts(**{name: getattr(quotes.contracts, name)[kept] for name in fields})
    return Quotes.of(c, quotes.price[kept])


def test_fewer_quotes_share_what_is_compiled() -> None:
    whole = posterior(0.1)
    n = whole.quotes.price.size
    kept = np.sort(np.random.default_rng(4).permutation(n)[: n - 2])
    fewer = Posterior.of(part(whole.quotes, kept), whole.priors, weights="price")
    first, second = target.Target.of(whole), target.Target.of(fewer)
    assert second.shapes == first.shapes
    density = jax.jit(first.density)
    for made in (first, second):
        v = 0.3 * np.random.default_rng(5).standard_normal(made.size)
        # The same without padding: exact prices, and as many terms as there are quotes.
        point = made.points(v[None])[0]
        exact = made.posterior.log_density(
            point[:, None], SinhPricer(made.posterior.quotes.contracts)
        )
        _, log_volume = jax.tree.map(np.asarray, made.geometry).points(v[:, None])
        assert float(density(v, made.geometry)) == pytest.approx(
            float(exact[0] + log_volume[0]), rel=1e-6
        )
    assert density._cache_size() == 1


def test_padding_changes_a_density_by_rounding_only(monkeypatch: pytest.MonkeyPatch) -> None:
    made = target.Target.of(posterior(0.1))
    monkeypatch.setattr(sinh_jax, "_FEWEST_ROWS", 48)
    monkeypatch.setattr(sinh_jax, "_FEWEST_NODES", 192)
    padded = target.Target.of(made.posterior)
    assert padded.shapes != made.shapes
    v = 0.3 * np.random.default_rng(5).standard_normal((20, made.size))
    values, slopes = (
        [np.asarray(jax.vmap(f, in_axes=(0, None))(v, t.geometry)) for t in (made, padded)]
        for f in (made.density, jax.grad(made.density))
    )
    np.testing.assert_allclose(values[1], values[0], rtol=1e-12)
    np.testing.assert_allclose(slopes[1], slopes[0], rtol=1e-9, atol=1e-9)


def test_correlated_errors_share_what_is_compiled() -> None:
    density = None
    for kept in (slice(None), slice(2, None)):
        whole = posterior(0.1).quotes
        quotes = part(whole, np.arange(whole.size)[kept])
        discrepancy = calibrate(VarianceGamma, quotes, weights="price").discrepancy()
        correlated = Posterior.of(
            quotes, Priors.default(VarianceGamma), weights="price", discrepancy=discrepancy
        )
        made = target.Target.of(correlated)
        density = density or jax.jit(made.density)
        v = 0.3 * np.random.default_rng(5).standard_normal(made.size)
        point = made.points(v[None])[0]
        exact = correlated.log_density(point[:, None], SinhPricer(quotes.contracts))
        _, log_volume = jax.tree.map(np.asarray, made.geometry).points(v[:, None])
        assert float(density(v, made.geometry)) == pytest.approx(
            float(exact[0] + log_volume[0]), rel=1e-6
        )
    assert density is not None
    assert density._cache_size() == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", models.names())
def test_every_model_has_a_density_with_a_slope(name: str) -> None:
    kind = models.get(name)
    exact = pricing.price(kind.example(), CONTRACTS).value
    errors = 0.02 * np.random.default_rng(3).standard_normal(exact.size)
    inside = np.clip(exact + errors, CONTRACTS.lower_bound + 1e-6, CONTRACTS.upper_bound)
    made = target.Target.of(Posterior.of(Quotes.of(CONTRACTS, inside), Priors.default(kind)))
    at = 0.3 * np.random.default_rng(5).standard_normal(made.size)
    density = jax.jit(lambda v: made.density(v, made.geometry))
    slope = np.asarray(jax.jit(jax.grad(density))(at))
    step = 1e-4 * np.eye(made.size)
    expected = [(density(at + h) - density(at - h)) / 2e-4 for h in step]
    np.testing.assert_allclose(slope, expected, rtol=1e-3, atol=1e-2)
