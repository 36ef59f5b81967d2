"""Description of surfaces: level, skew, curvature, term slope, listing."""

from typing import Any

import numpy as np
import pytest

from levy_calibration.drift import INPUTS, inputs
from levy_numerics.black import black_price
from levy_numerics.market import Contracts, Quotes
from levy_surfaces.synthetic.priced import PricedSurfaces

SMILE = ("atm_vol", "skew", "curvature", "term_slope")


def quotes(
    log_strikes: Any, maturities: Any, smile: dict[str, float], forward: float = 80.0
) -> Quotes:
    """Return quotes whose log volatility has the fitted form; log maturities have mean 0."""
    k, years = (each.ravel() for each in np.meshgrid(log_strikes, maturities))
    contracts = Contracts.of(
        maturity_years=years, strike=forward * np.exp(k), forward=forward, discount=0.97
    )
    x = k / np.sqrt(years)
    vol = smile["atm_vol"] * np.exp(
        smile["skew"] * x + 0.5 * smile["curvature"] * x**2 + smile["term_slope"] * np.log(years)
    )
    price = black_price(
        forward=forward,
        strike=contracts.strike,
        maturity_years=years,
        discount=0.97,
        vol=vol,
        is_call=True,
    )
    return Quotes.of(contracts, price)


def described(*surfaces: Quotes) -> list[dict[str, float]]:
    return [
        dict(zip(INPUTS, row, strict=True)) for row in inputs(PricedSurfaces.of_quotes(surfaces))
    ]


STRIKES = np.linspace(-0.1, 0.08, 15)


@pytest.mark.parametrize("skew", [-0.6, 0.0, 0.3])
@pytest.mark.parametrize("curvature", [0.0, 1.5])
@pytest.mark.parametrize("term_slope", [-0.1, 0.0, 0.05])
def test_a_smile_of_the_fitted_form_is_described_exactly(
    skew: float, curvature: float, term_slope: float
) -> None:
    smile = {"atm_vol": 0.2, "skew": skew, "curvature": curvature, "term_slope": term_slope}
    # At one common moneyness in x, weights do not differ between expiries: their mean is ln 1.
    rows = [quotes(STRIKES * np.sqrt(years), [years], smile) for years in (0.5, 2.0)]
    both = described(joined(*rows))[0]
    for name in ("skew", "curvature", "term_slope"):
        assert both[name] == pytest.approx(smile[name], abs=2e-3), name
    # The volatility is that at the weighted mean of the maturities, close to one year.
    assert both["atm_vol"] == pytest.approx(0.2, rel=0.03)


def joined(*parts: Quotes) -> Quotes:
    contracts = Contracts.of(
        **{
            name: np.concatenate([getattr(part.contracts, name) for part in parts])
            for name in ("maturity_years", "strike", "forward", "discount", "is_call")
        }
    )
    return Quotes.of(contracts, np.concatenate([part.price for part in parts]))


FLAT = {"atm_vol": 0.25, "skew": 0.0, "curvature": 0.0, "term_slope": 0.0}


def test_listing_quantities_are_measured() -> None:
    (found,) = described(quotes([-0.2, -0.05, 0.0, 0.1], [30 / 365, 0.5, 1.5], FLAT))
    assert found["n_quotes"] == 12
    assert found["lowest_log_strike"] == -0.2
    assert found["highest_log_strike"] == 0.1
    assert found["shortest_maturity_years"] == round(30 / 365, 6)
    assert found["longest_maturity_years"] == 1.5


def test_one_expiry_has_no_term_slope() -> None:
    (found,) = described(quotes(STRIKES, [0.5], FLAT))
    assert np.isnan(found["term_slope"])
    assert found["atm_vol"] == pytest.approx(0.25, rel=1e-5)


def test_what_a_surface_is_called_does_not_depend_on_its_company_or_its_order() -> None:
    wide, narrow = quotes(STRIKES, [0.2, 0.9], FLAT), quotes([-0.01, 0.02], [0.4], FLAT)
    many = described(*[wide, narrow] * 200)
    for one, alone in zip(many[-2:], described(wide) + described(narrow), strict=True):
        assert one == pytest.approx(alone, abs=1e-9, nan_ok=True)
    order = np.random.default_rng(1).permutation(wide.size)
    c = wide.contracts
    mixed = Quotes.of(
        Contracts.of(
            maturity_years=c.maturity_years[order],
            strike=c.strike[order],
            forward=c.forward[order],
            discount=c.discount[order],
        ),
        wide.price[order],
    )
    assert described(mixed)[0] == pytest.approx(described(wide)[0], abs=1e-9)


def test_quotes_far_from_the_money_alone_give_numbers() -> None:
    (found,) = described(quotes([0.9], [0.1], FLAT))
    assert all(np.isfinite(value) for name, value in found.items() if name != "term_slope")


def test_an_empty_batch_has_no_description() -> None:
    assert inputs(PricedSurfaces.of_quotes([])).shape == (0, len(INPUTS))
