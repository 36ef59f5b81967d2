import numpy as np
import pytest

from levy_surfaces.synthetic import grid, layouts
from levy_surfaces.synthetic.layouts import BLOCK, blocks, listing


def _maturities_and_strikes(number):
    contracts = listing(0, number)
    years, strikes = contracts.maturity_years, -contracts.log_moneyness
    return [(t, strikes[years == t]) for t in np.unique(years)]


def test_the_grid_is_200_options_of_20_strikes_at_10_maturities():
    contracts = grid.grid_contracts()
    assert contracts.size == 200
    assert np.unique(contracts.maturity_years).size == 10
    assert np.unique(contracts.strike).size == 20
    assert np.all(contracts.is_call == (contracts.strike >= 1.0))


def test_listings_have_3_to_12_expiries_of_5_to_40_strikes():
    listed = [_maturities_and_strikes(number) for number in range(64)]
    n_expiries = {len(one) for one in listed}
    n_strikes = {strikes.size for one in listed for _, strikes in one}
    assert min(n_expiries) >= 3
    assert max(n_expiries) <= 12
    assert min(n_strikes) >= 5
    assert max(n_strikes) <= 40
    assert len(n_expiries) > 6
    assert len(n_strikes) > 30


def test_listed_strikes_widen_with_time_and_hold_the_money():
    listed = [pair for number in range(64) for pair in _maturities_and_strikes(number)]
    assert all(strikes[0] < 0.0 < strikes[-1] for _, strikes in listed)
    years = np.array([t for t, _ in listed])
    width = np.array([strikes[-1] - strikes[0] for _, strikes in listed])
    assert np.corrcoef(np.log(years), np.log(width))[0, 1] > 0.5
    assert layouts.MATURITY_YEARS[0] <= years.min()
    assert years.max() <= layouts.MATURITY_YEARS[1]


@pytest.mark.parametrize(("start", "stop"), [(0, 300), (100, 130), (BLOCK, 2 * BLOCK)])
def test_blocks_cover_any_range_with_the_same_listings(start, stop):
    made = list(blocks("scattered", start, stop, seed=4))
    covered = [k for block in made for k in range(block.start, block.stop)]
    assert covered == list(range(start, stop))
    for block in made:
        assert block.number == block.start // BLOCK
        assert np.array_equal(block.contracts.strike, listing(4, block.number).strike)
