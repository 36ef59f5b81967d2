"""One fit for each expiry, from the one with most quotes outwards."""

from levy_numerics.calibration.per_maturity import calibrate_each_maturity
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import VarianceGamma
from levy_numerics.pricing import price


def test_an_expiry_is_fitted_from_the_parameters_of_the_one_beside_it() -> None:
    truth = VarianceGamma(sigma=0.2, nu=0.3, theta=-0.1)
    strikes = [80.0, 85.0, 90.0, 95.0, 100.0, 105.0, 110.0, 115.0, 120.0]
    contracts = Contracts.grid(
        spot=100.0,
        rate=0.0,
        dividend_yield=0.0,
        strikes=strikes,
        maturities=[0.25, 0.5, 0.75, 1.0],
    )
    kept = (contracts.maturity_years == 0.5) | (contracts.strike != 80.0)
    quotes = Quotes.of(contracts, price(truth, contracts).value).select(kept)
    first, most, third, last = calibrate_each_maturity(VarianceGamma, quotes).results
    # From the solution of exact quotes, the fit to others of the same model is at its end.
    assert max(fit.n_evaluations for fit in (first, third, last)) <= 3 < most.n_evaluations
