import numpy as np
import pytest

from levy_numerics.black import black_price, black_vega
from levy_numerics.market import Contracts, Quotes
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.features import (
    POINT_CHANNELS,
    PRICE_FLOOR,
    grid_features,
    log_vols,
    point_features,
    weights,
)
from levy_surfaces.synthetic.priced import PricedSurfaces

LOG_VOL = POINT_CHANNELS.index("log_vol")


def _black(contracts, vol):
    return black_price(
        forward=contracts.forward,
        strike=contracts.strike,
        maturity_years=contracts.maturity_years,
        discount=contracts.discount,
        vol=vol,
        is_call=contracts.is_call,
    )


def _on_grid(price):
    return PricedSurfaces.of_grid(grid.flat_log_strikes(), grid.flat_maturity_years(), price)


def test_a_black_surface_has_its_volatility_in_every_feature_above_the_floor():
    price = _black(grid.grid_contracts(), 0.25)[None]
    features = grid_features(_on_grid(price))
    assert features.shape == (1, 200)
    assert features[price > PRICE_FLOOR] == pytest.approx(np.log(0.25), abs=1e-6)


def test_features_are_finite_for_prices_of_nothing_and_of_everything():
    for value in (0.0, 1e-300, 1.0, 5.0):
        assert np.isfinite(grid_features(_on_grid(np.full((2, 200), value)))).all()


def test_prices_below_the_floor_give_upper_bounds():
    price = _black(grid.grid_contracts(), 0.08)[None]
    clipped = price < PRICE_FLOOR
    assert clipped.any()
    assert np.all(log_vols(_on_grid(price))[clipped] > np.log(0.08))


def test_spot_rates_and_dividends_drop_out_and_sides_do_not_matter():
    calls = Contracts.grid(
        spot=50.0, rate=0.04, dividend_yield=0.01, strikes=[40, 50, 65], maturities=[0.2, 1.0]
    )
    forward_units = Contracts.of(
        maturity_years=calls.maturity_years,
        strike=calls.strike / calls.forward,
        forward=1.0,
        is_call=[False, True] * 3,
    )
    surfaces = [Quotes.of(c, _black(c, 0.3)) for c in (calls, forward_units)]
    points, present = point_features(PricedSurfaces.of_quotes(surfaces))
    assert present.all()
    assert points[0] == pytest.approx(points[1], abs=1e-6)
    assert points[0, :, LOG_VOL] == pytest.approx(np.log(0.3), abs=1e-6)


def test_padding_is_zero_and_absent():
    contracts = Contracts.of(maturity_years=[0.5, 1.0], strike=[0.9, 1.1], forward=1.0)
    surfaces = PricedSurfaces.of_quotes([Quotes.of(contracts, _black(contracts, 0.2))], width=5)
    points, present = point_features(surfaces)
    assert present.tolist() == [[True, True, False, False, False]]
    assert not points[0, 2:].any()


def test_a_wider_spread_and_a_lower_price_weigh_less():
    contracts = Contracts.of(maturity_years=0.5, strike=[0.5, 1.0, 1.0], forward=1.0, is_call=False)
    price = _black(contracts, 0.2)
    spread = np.array([0.0, 0.0, 0.01])
    quotes = Quotes.of(contracts, price, bid=price - spread, ask=price + spread)
    weight = point_features(PricedSurfaces.of_quotes([quotes]))[0][0, :, -1]
    assert weight[1] > weight[2] > weight[0] >= 0.0


def test_a_quote_counts_half_whose_spread_leaves_a_point_of_volatility_open():
    contracts = Contracts.of(
        maturity_years=[0.1, 0.5, 2.0], strike=[0.9, 1.0, 1.4], forward=1.0, is_call=False
    )
    vega = black_vega(
        forward=1.0,
        strike=contracts.strike,
        maturity_years=contracts.maturity_years,
        discount=1.0,
        vol=0.2,
    )
    price, point = _black(contracts, 0.2), 0.01 * vega
    quotes = Quotes.of(contracts, price, bid=price - point, ask=price + point)
    surfaces = PricedSurfaces.of_quotes([quotes])
    above_floor = surfaces.price / (surfaces.price + PRICE_FLOOR)
    assert weights(surfaces, np.array(0.2)) == pytest.approx(0.5 * above_floor, rel=1e-12)
