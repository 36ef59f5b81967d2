"""American, Bermudan and barrier options: published values, peers, identities and bad input."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from levy_numerics import models, pricing
from levy_numerics.errors import InvalidInputError, LevyError, UnsupportedError
from levy_numerics.market import Contracts
from levy_numerics.pricing.early_exercise import Barrier, Dividend, Terms, kinks
from levy_numerics.pricing.early_exercise.premium import early_exercise

AMERICAN = Terms(exercise="american")
TENTHS = tuple(np.arange(1, 10) / 10)


def put(spot: float, strike: Any, rate: float, dividend_yield: float, years: Any) -> Contracts:
    return Contracts.grid(
        spot=spot,
        rate=rate,
        dividend_yield=dividend_yield,
        strikes=strike,
        maturities=years,
        is_call=False,
    )


# d'Halluin, Forsyth and Labahn (2004), Numerische Mathematik 97, 321-352: Merton's model with
# λ = 0.1, mean −0.9 and deviation 0.45 of log-jumps, σ = 0.15.
MERTON = models.Merton(sigma=0.15, lam=0.1, mu_j=-0.9, sigma_j=0.45)
PUBLISHED = [
    # Fang and Oosterlee (2009), Numerische Mathematik 114, 27-62, Table 5 (Almendral and Oosterlee
    # 2007 have the same contract): 0.112152.
    pytest.param(
        models.CGMY(C=1.0, G=5.0, M=5.0, Y=0.5),
        put(1.0, 1.0, 0.1, 0.0, 1.0),
        1.0,
        0.112152,
        1.5e-6,
        id="CGMY, Fang and Oosterlee",
    ),
    # Hirsa and Madan (2004), Journal of Computational Finance 7(2), 63-86, give 35.5301, which is
    # coarse; both methods of this package converge to 35.4925.
    pytest.param(
        models.VarianceGamma(sigma=0.20722, nu=0.50215, theta=-0.22898),
        put(1369.41, 1200.0, 0.0541, 0.012, 0.56164),
        1369.41,
        35.4925,
        1e-6,
        id="VarianceGamma, Hirsa and Madan",
    ),
    # Wang, Wan and Forsyth (2007), Journal of Computational Finance 10(4), 31-69: 9.2254803, whose
    # last three digits are not converged.
    pytest.param(
        models.CGMY(C=0.42, G=4.37, M=191.2, Y=1.0102),
        put(90.0, 98.0, 0.06, 0.0, 0.25),
        90.0,
        9.22540,
        5e-7,
        id="CGMY, Wang, Wan and Forsyth",
    ),
    # Their Table 5: American put at S = 90, 100, 110.
    pytest.param(
        MERTON, put(90.0, 100.0, 0.05, 0.0, 0.25), 90.0, 10.003822, 2e-6, id="Merton, S = 90"
    ),
    pytest.param(
        MERTON, put(100.0, 100.0, 0.05, 0.0, 0.25), 100.0, 3.241251, 1e-6, id="Merton, S = 100"
    ),
    pytest.param(
        MERTON, put(110.0, 100.0, 0.05, 0.0, 0.25), 110.0, 1.419803, 1e-6, id="Merton, S = 110"
    ),
]


@pytest.mark.parametrize(("model", "contracts", "spot", "expected", "tolerance"), PUBLISHED)
def test_published_american_puts_are_met(
    model: Any, contracts: Contracts, spot: float, expected: float, tolerance: float
) -> None:
    actual = pricing.price(model, contracts, terms=AMERICAN, spot=spot)
    assert abs(actual.value[0] - expected) < tolerance * spot
    assert actual.error[0] < 1e-4 * spot  # largest near the exercise boundary


@pytest.mark.parametrize(
    ("model", "spot", "strike", "expected"),
    [
        # Fang and Oosterlee (2009), Table 2.
        (models.BlackScholes(sigma=0.2), 100.0, 110.0, 10.479520123),
        (models.CGMY(C=1.0, G=5.0, M=5.0, Y=1.5), 100.0, 80.0, 28.829781989),
        # Lord, Fang, Bervoets and Oosterlee (2008), Table 4.
        (models.VarianceGamma(sigma=0.12, nu=0.2, theta=-0.14), 100.0, 110.0, 9.040646119),
    ],
)
def test_published_bermudan_puts_with_ten_dates_are_met(
    model: Any, spot: float, strike: float, expected: float
) -> None:
    terms = Terms(exercise="bermudan", exercise_dates=TENTHS)
    contracts = put(spot, strike, 0.1, 0.0, 1.0)
    actual = pricing.price(model, contracts, terms=terms, spot=spot)
    assert abs(actual.value[0] - expected) < 1e-7 * spot
    assert abs(actual.value[0] - expected) < actual.error[0]


def quantlib_american(
    spot: float,
    strike: float,
    rate: float,
    dividend_yield: float,
    vol: float,
    days: int,
    is_call: bool,
) -> float:
    """Return the price by Andersen, Lake and Offengenden's integral equation, to 1e-10."""
    ql = pytest.importorskip("QuantLib")
    today = ql.Date(1, 1, 2020)
    ql.Settings.instance().evaluationDate = today
    day_count = ql.Actual365Fixed()

    def flat(value: float) -> Any:
        return ql.YieldTermStructureHandle(ql.FlatForward(today, value, day_count))

    volatility = ql.BlackConstantVol(today, ql.NullCalendar(), vol, day_count)
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(spot)),
        flat(dividend_yield),
        flat(rate),
        ql.BlackVolTermStructureHandle(volatility),
    )
    kind = ql.Option.Call if is_call else ql.Option.Put
    option = ql.VanillaOption(
        ql.PlainVanillaPayoff(kind, strike), ql.AmericanExercise(today, today + days)
    )
    scheme = ql.QdFpAmericanEngine.highPrecisionScheme()
    option.setPricingEngine(ql.QdFpAmericanEngine(process, scheme))
    return float(option.NPV())


@pytest.mark.parametrize("is_call", [False, True])
@pytest.mark.parametrize(
    ("rate", "dividend_yield", "vol", "days"),
    [(0.05, 0.0, 0.2, 365), (0.03, 0.06, 0.35, 91), (0.01, 0.02, 0.15, 730), (0.1, 0.1, 0.5, 7)],
)
def test_black_scholes_americans_are_those_of_quantlib(
    rate: float, dividend_yield: float, vol: float, days: int, is_call: bool
) -> None:
    strikes = [90.0, 100.0, 115.0]
    contracts = Contracts.grid(
        spot=100.0,
        rate=rate,
        dividend_yield=dividend_yield,
        strikes=strikes,
        maturities=[days / 365],
        is_call=is_call,
    )
    actual = pricing.price(models.BlackScholes(sigma=vol), contracts, terms=AMERICAN, spot=100.0)
    peer = [quantlib_american(100.0, k, rate, dividend_yield, vol, days, is_call) for k in strikes]
    # Extrapolation is slower near the boundary of exercise, which the error states.
    assert np.all(np.abs(actual.value - peer) <= actual.error)
    assert np.max(actual.error) < 1e-3
    assert abs(actual.value[1] - peer[1]) < 2e-5  # 2e-7 of the spot


def test_a_surface_is_one_sweep_with_the_prices_of_its_maturities() -> None:
    model, strikes, years = models.CGMY.example(), np.linspace(80, 120, 20), np.linspace(0.1, 2, 10)
    together = pricing.price(
        model, put(100.0, strikes, 0.05, 0.01, years), terms=AMERICAN, spot=100.0, tolerance=1e-5
    ).value.reshape(10, 20)
    for i in (0, 4, 9):
        alone = pricing.price(
            model, put(100.0, strikes, 0.05, 0.01, years[i]), terms=AMERICAN, spot=100.0
        )
        # 1e-5 of the spot, three times that next to the exercise boundary.
        assert np.max(np.abs(together[i] - alone.value)) < 3e-3
        assert np.median(np.abs(together[i] - alone.value)) < 1e-3


def test_rates_between_maturities_may_differ() -> None:
    """A flat curve in calendar time gives the prices of the sweep in time to go."""
    model = models.NIG.example()
    flat = put(100.0, [95.0, 105.0], 0.05, 0.01, [0.5, 1.0])
    # Rates of 5% until the first maturity; the second maturity's forward rate differs slightly.
    bent = Contracts.of(
        maturity_years=flat.maturity_years,
        strike=flat.strike,
        forward=flat.forward,
        discount=flat.discount * np.where(flat.maturity_years > 0.7, 1.0 - 1e-7, 1.0),
        is_call=False,
    )
    one = pricing.price(model, flat, terms=AMERICAN, spot=100.0)
    other = pricing.price(model, bent, terms=AMERICAN, spot=100.0)
    assert np.max(np.abs(one.value - other.value)) < 1e-4


@pytest.mark.parametrize("name", ["VarianceGamma", "Kou", "Merton", "NIG", "CGMY", "Meixner"])
def test_calls_are_puts_under_the_dual_measure(name: str) -> None:
    """An American call without dividends is European; with rates of zero so is a put."""
    model = models.get(name).example()
    call = Contracts.grid(
        spot=100.0, rate=0.05, dividend_yield=0.0, strikes=[90.0, 110.0], maturities=[0.25, 1.0]
    )
    actual = pricing.price(model, call, terms=AMERICAN, spot=100.0, tolerance=1e-5)
    european = pricing.price(model, call)
    assert np.max(np.abs(actual.value - european.value)) < 1e-4
    free = put(100.0, [90.0, 110.0], 0.0, 0.05, [0.25, 1.0])
    actual = pricing.price(model, free, terms=AMERICAN, spot=100.0, tolerance=1e-5)
    assert np.max(np.abs(actual.value - pricing.price(model, free).value)) < 1e-4


def test_greeks_are_differences_of_prices() -> None:
    model, h = models.CGMY.example(), 0.05
    strikes, years = [90.0, 100.0, 112.0], [0.5]

    def value(spot: float, shift: float = 0.0) -> np.ndarray:
        contracts = put(spot, strikes, 0.06, 0.01, [0.5 + shift])
        return pricing.price(model, contracts, terms=AMERICAN, spot=spot).value

    result = early_exercise(model, put(100.0, strikes, 0.06, 0.01, years), AMERICAN, 100.0)
    up, middle, down = value(100.0 + h), value(100.0), value(100.0 - h)
    assert np.max(np.abs(result.delta - (up - down) / (2 * h))) < 2e-4
    assert np.max(np.abs(result.gamma - (up - 2 * middle + down) / h**2)) < 2e-3
    theta = -(value(100.0, 0.005) - value(100.0, -0.005)) / 0.01
    assert np.max(np.abs(result.theta - theta)) < 2e-2
    assert np.all(result.premium > 0.0)


def test_options_are_exercised_below_the_boundary_only() -> None:
    model = models.VarianceGamma.example()
    result = early_exercise(model, put(100.0, 100.0, 0.06, 0.0, 1.0), AMERICAN, 100.0)
    assert np.all(np.diff(result.boundary) <= 1e-6)
    boundary = 100.0 * result.boundary[-1]
    below, above = (
        pricing.price(model, put(s, 100.0, 0.06, 0.0, 1.0), terms=AMERICAN, spot=s).value[0]
        - (100.0 - s)
        for s in (boundary - 1.0, boundary + 1.0)
    )
    assert below < 1e-6 < above


def discrete_barrier(
    spot: float, barrier: float, vol: float, rate: float, years: float, m: int
) -> float:
    """Return a down-and-out call by Broadie, Glasserman and Kou's continuity correction."""
    shifted = barrier * np.exp(-0.5825971579390106 * vol * np.sqrt(years / m))
    root, mu = vol * np.sqrt(years), (rate + 0.5 * vol**2) / vol**2

    def call(s: float) -> float:
        d = (np.log(s / 100.0) + (rate + 0.5 * vol**2) * years) / root
        return float(s * norm.cdf(d) - 100.0 * np.exp(-rate * years) * norm.cdf(d - root))

    return float(call(spot) - (shifted / spot) ** (2 * mu - 2) * call(shifted**2 / spot))


def test_monitored_barriers_are_those_of_the_continuity_correction() -> None:
    # Broadie, Glasserman and Kou (1997), Mathematical Finance 7(4), 325-349, Table 1: 50 dates,
    # H = 91, S = K = 100, σ = 0.3, r = 0.1, T = 0.2: true value 5.977.
    dates = tuple(0.2 * np.arange(1, 51) / 50)
    contracts = Contracts.grid(
        spot=100.0, rate=0.1, dividend_yield=0.0, strikes=100.0, maturities=0.2
    )
    model = models.BlackScholes(sigma=0.3)
    out = pricing.price(
        model, contracts, terms=Terms(barrier=Barrier("down-and-out", 91.0, dates)), spot=100.0
    )
    assert abs(out.value[0] - discrete_barrier(100.0, 91.0, 0.3, 0.1, 0.2, 50)) < 5e-3
    assert abs(out.value[0] - 5.977) < 6e-4
    inside = pricing.price(
        model, contracts, terms=Terms(barrier=Barrier("down-and-in", 91.0, dates)), spot=100.0
    )
    european = pricing.price(model, contracts)
    assert abs(out.value[0] + inside.value[0] - european.value[0]) < 1e-9


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("kind", ["up-and-out", "down-and-out"])
def test_barriers_agree_with_simulation(kind: Any, is_call: bool) -> None:
    model, level = models.Kou.example(), 115.0 if kind == "up-and-out" else 88.0
    dates = (0.25, 0.5, 0.75, 1.0)
    contracts = Contracts.grid(
        spot=100.0,
        rate=0.04,
        dividend_yield=0.01,
        strikes=[95.0, 105.0],
        maturities=1.0,
        is_call=is_call,
    )
    terms = Terms(barrier=Barrier(kind, level, dates))
    actual = pricing.price(model, contracts, terms=terms, spot=100.0)
    rng, size = np.random.default_rng(1), 400_000
    drift = float(model.drift_correction(0.25)) + 0.03 * 0.25
    path = 100.0 * np.exp(np.cumsum([model.sample(rng, 0.25, size) + drift for _ in dates], axis=0))
    alive = (path < level if kind == "up-and-out" else path > level).all(axis=0)
    sign = 1.0 if is_call else -1.0
    for strike, value in zip((95.0, 105.0), actual.value, strict=True):
        payoff = np.exp(-0.04) * alive * np.maximum(sign * (path[-1] - strike), 0.0)
        assert abs(payoff.mean() - value) < 4.5 * payoff.std() / np.sqrt(size)


@pytest.mark.parametrize(
    ("terms", "name", "message"),
    [
        (AMERICAN, "HestonLike", "stationary increments"),
        (Terms(barrier=Barrier("up-and-out", 90.0, (0.5,))), "CGMY", "above the spot"),
        (Terms(barrier=Barrier("down-and-out", 120.0, (0.5,))), "CGMY", "below the spot"),
        (Terms(exercise="bermudan", exercise_dates=(2.0,)), "CGMY", "after the last maturity"),
        (Terms(exercise="american", dividends=(Dividend(0.2, 150.0),)), "CGMY", "not below"),
        (Terms(exercise="american", dividends=(Dividend(0.2, 1.0),)), "CGMY", "cash dividends"),
        (Terms(barrier=Barrier("up-and-out", 120.0)), "CGMY", "monitoring dates"),
    ],
)
def test_terms_that_cannot_be_priced_are_refused_with_the_remedy(
    terms: Terms, name: str, message: str
) -> None:
    chosen = models.get(name) if name in models.names() else not_stationary()
    with pytest.raises(LevyError, match=message):
        pricing.price(
            chosen.example(),
            put(100.0, 100.0, 0.05, 0.0, 1.0),
            method="conv",
            terms=terms,
            spot=100.0,
        )


def not_stationary() -> Any:
    return next(
        models.get(name)
        for name in models.names()
        if not models.get(name).has_stationary_increments
    )


def test_inconsistent_terms_are_refused() -> None:
    for make, message in [
        (lambda: Terms(exercise="bermudan"), "require exercise dates"),
        (lambda: Terms(exercise_dates=(0.5,)), "belong to Bermudan"),
        (lambda: Terms(exercise="bermudan", exercise_dates=(0.5, 0.5)), "must increase"),
        (lambda: Terms(exercise="bermudan", exercise_dates=(-0.5,)), "positive"),
        (lambda: Barrier("up-and-out", -1.0), "positive"),
        (lambda: Terms(dividends=(Dividend(0.5, 1.0), Dividend(0.2, 1.0))), "in order"),
        (lambda: Terms(exercise="american", barrier=Barrier("up-and-in", 120.0)), "European"),
    ]:
        with pytest.raises(LevyError, match=message):
            make()  # type: ignore[no-untyped-call]
    contracts = put(100.0, 100.0, 0.05, 0.0, 1.0)
    with pytest.raises(UnsupportedError, match="sinh prices European options"):
        pricing.price(models.CGMY.example(), contracts, method="sinh", terms=AMERICAN, spot=100.0)
    with pytest.raises(InvalidInputError, match="require the spot"):
        pricing.price(models.CGMY.example(), contracts, terms=AMERICAN)


def test_kink_weights_make_the_trapezoidal_rule_exact_for_a_smooth_kernel() -> None:
    """Sums of corrected samples of (x − b)₊ against a Gaussian, in closed form."""
    h, b = 0.1, 0.0377
    x = h * np.arange(-80, 81)
    values = np.maximum(x - b, 0.0)
    left = int(np.searchsorted(x, b)) - 1
    theta = (b - x[left]) / h
    nodes = left + kinks.NODES
    corrected = values.copy()
    corrected[nodes] += kinks.weights(np.array(theta), np.array([0.0, h, 0.0, 0.0]))
    exact = norm.pdf(b) - b * norm.sf(b)
    assert abs(h * np.sum(corrected * norm.pdf(x)) - exact) < 1e-9
    assert abs(h * np.sum(values * norm.pdf(x)) - exact) > 1e-5
