"""Figures of early exercise."""

import numpy as np

from levy_cli.reports.early_exercise import boundaries, boundary_figure
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import BlackScholes
from levy_numerics.surface import Forward, Surface

SPOT, RATE, SIGMA, YEARS = 100.0, 0.05, 0.2, 2.0


def surface(dividend_yield: float) -> Surface:
    forward = SPOT * np.exp((RATE - dividend_yield) * YEARS)
    discount = float(np.exp(-RATE * YEARS))
    contract = Contracts.of(
        maturity_years=YEARS, strike=SPOT, forward=forward, discount=discount, is_call=True
    )
    last = Forward(0, YEARS, forward, discount, 0, 0.0, np.inf, "the request")
    return Surface(Quotes.of(contract, np.array([10.0])), spot=SPOT, forwards=(last,))


def test_boundaries_lie_between_the_strike_and_those_of_perpetual_options() -> None:
    (put,) = boundaries(surface(0.0), BlackScholes(sigma=SIGMA))
    name, years, boundary = put
    assert name == "put", "calls without dividends are not exercised early"
    gamma = 2.0 * RATE / SIGMA**2
    values = np.array(boundary, dtype=float)
    # Merton (1973), Bell Journal of Economics 4(1): γ/(1 + γ).
    assert np.all((gamma / (1.0 + gamma) < values) & (values < 1.0))
    assert np.all(np.diff(values) < 1e-6)
    assert years[-1] == YEARS
    names = [curve[0] for curve in boundaries(surface(0.08), BlackScholes(sigma=SIGMA))]
    assert names == ["put", "call"]


def test_a_figure_has_a_line_for_each_boundary() -> None:
    curves = boundaries(surface(0.08), BlackScholes(sigma=SIGMA))
    figure = boundary_figure(curves)
    assert [trace.name for trace in figure.data] == ["put", "call"]
    assert min(figure.data[1].y) > 1.0
