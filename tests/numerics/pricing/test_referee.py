"""The referee of `make check-prices` against independent methods."""

import mpmath as mp
import numpy as np
import pytest

from levy_numerics import models
from levy_numerics.black import black_price
from levy_numerics.models import Model
from tests.check_prices import contour, mixtures
from tests.check_prices.comparison import referee_prices
from tests.check_prices.domain import STRIKE, YEARS, draw_case
from tests.check_prices.quadrature import covered_call
from tests.check_prices.transforms import NoForwardError, Transform, forward_exists, revives
from tests.numerics.models.members import every_model
from tests.reference.textbook import textbooks

GOLDEN = [
    pytest.param(book.model, each, id=f"{book.model}: {each['why']}")
    for book in textbooks().values()
    for each in book.content["set"]
]
FEW, MANY = 6, 60
few_or_many = pytest.mark.parametrize(
    "count", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"]
)


def transforms(model: str, count: int, seed: int) -> list[tuple[Transform, np.ndarray]]:
    """Return transforms with a finite forward, and strikes on a forward of one."""
    cases = [draw_case(model, index, seed) for index in range(count)]
    return [
        (Transform(c.model, c.parameters, c.years), (c.strike / c.forward).astype(np.longdouble))
        for c in cases
        if c.kind != "extreme numbers" and forward_exists(c.model, c.parameters, c.years)
    ]


@pytest.mark.parametrize("contours", [contour.FIRST, contour.SECOND], ids=["first", "second"])
@pytest.mark.parametrize(("name", "each"), GOLDEN)
def test_contours_give_the_golden_prices_of_the_hard_corners(name, each, contours):
    strike = np.array(each["strike"], dtype=np.longdouble)
    for years, golden in zip(each["maturity_years"], each["golden"], strict=True):
        transform = Transform(name, each["parameters"], years)
        covered, doubt = contour.covered_calls(transform, -np.log(strike), contours)
        if revives(transform):
            continue
        out_of_the_money = np.minimum(1.0, strike) - strike * covered
        assert np.max(np.abs(out_of_the_money - golden)) < 1e-15
        assert np.max(doubt) < 1e-14


@few_or_many
@pytest.mark.parametrize(
    "name", ["VarianceGamma", "NIG", "Merton", "BlackScholes", "VarianceGammaSato", "NIGSato"]
)
def test_contours_agree_with_mixtures_of_black_prices(name, count):
    compared = 0
    for transform, strike in transforms(name, count, seed=21):
        mixture = mixtures.covered_calls(transform, strike)
        covered, doubt = contour.covered_calls(transform, -np.log(strike))
        if mixture is None or revives(transform) or not np.all(np.isfinite(doubt)):
            continue
        assert np.all(np.abs(covered * strike - mixture[0]) < 5e-14 + mixture[1])
        compared += 1
    assert compared >= count / 6


@few_or_many
@pytest.mark.parametrize("name", ["BilateralGamma", "CGMY", "Kou", "Meixner", "CGMYSato", "NIGCIR"])
def test_two_contours_agree(name, count):
    for transform, strike in transforms(name, count, seed=22):
        first, doubt = contour.covered_calls(transform, -np.log(strike))
        second, its_doubt = contour.covered_calls(transform, -np.log(strike), contour.SECOND)
        known = np.isfinite(doubt + its_doubt)
        assert np.mean(known) > 0.9
        assert np.all(np.abs(first - second)[known] < 1e-14)


@every_model
def test_contours_agree_with_quadrature_in_many_digits(cls):
    """Integrate along a straight ray in mpmath, with another contour, rule and arithmetic."""
    parameters = cls.example().as_mapping()
    transform = Transform(cls.name, parameters, 0.5)
    strike = np.array([0.6, 1.6], dtype=np.longdouble)
    covered, _ = contour.covered_calls(transform, -np.log(strike))
    for k, value, angle in zip(strike, covered * strike, (0.3, -0.3), strict=True):
        assert abs(mp.mpf(float(value)) - covered_call(transform, float(k), angle)) < 1e-15


@every_model
def test_the_transform_is_that_of_the_model(cls):
    model: Model = cls.example()
    transform = Transform(cls.name, model.as_mapping(), 2.0)
    xi = np.array([0.3, 2.0, 15.0]) - 0.5j
    with mp.workdps(transform.digits):
        exact = transform.exact(xi.astype(np.clongdouble)).astype(complex)
    of_model = model.log_cf(xi, 2.0) + 1j * xi * float(model.drift_correction(2.0))
    np.testing.assert_allclose(of_model, exact, rtol=1e-10)


# Many small jumps: Black's price with the variance of the log-return is accurate to the ratio of
# jump size to standard deviation. The digits are from the mixture (VG, NIG) and both contours.
LOGNORMAL_LIMITS = [
    ("NIG", {"alpha": 1e5, "beta": -5e4, "delta": 649.519}, 5.0, 2 * np.exp(-0.1), 0.00036983992),
    (
        "VarianceGamma",
        {"sigma": 0.2, "nu": 1e-6, "theta": -300.0},
        30.0,
        2 * np.exp(-0.9),
        0.709103428,
    ),
    ("Meixner", {"a": 0.001, "b": -1.5, "d": 385470.0}, 5.0, np.exp(-0.1), 0.522607341),
]


@pytest.mark.parametrize(("name", "parameters", "years", "strike", "right"), LOGNORMAL_LIMITS)
def test_the_lognormal_limit_is_priced_as_black_does(name, parameters, years, strike, right):
    covered, doubt = contour.covered_calls(
        Transform(name, parameters, years), -np.log(np.array([strike], dtype=np.longdouble))
    )
    call = float(1.0 - strike * covered[0])
    variance = float(models.from_mapping(name, parameters).cumulants(1.0)[1])
    black = black_price(
        forward=1.0,
        strike=strike,
        maturity_years=years,
        discount=1.0,
        vol=np.sqrt(variance),
        is_call=True,
    )
    assert doubt[0] < 1e-14
    assert abs(call - right) < 1e-8
    assert abs(call - black) < 2e-3 * max(call, 1e-3)


def test_a_missing_forward_is_recognised():
    without = {"sigma": 0.2, "nu": 1.0, "theta": 0.99}
    assert not forward_exists("VarianceGamma", without, 1.0)
    assert forward_exists("VarianceGamma", without | {"theta": 0.97}, 1.0)
    with pytest.raises(NoForwardError):
        Transform("VarianceGamma", without, 1.0)


@every_model
def test_cases_lie_in_the_domain_and_repeat(cls):
    for index in range(20):
        case, again = (draw_case(cls.name, index, 3) for _ in range(2))
        assert case.parameters == again.parameters
        assert np.array_equal(case.strike, again.strike)
        assert YEARS[0] <= case.years <= YEARS[1]
        moneyness = case.strike / case.forward
        assert np.all((moneyness > STRIKE[0] - 1e-9) & (moneyness < STRIKE[1] + 1e-9))
        for p in cls.parameters():
            assert p.domain.contains(case.parameters[p.name])


def test_the_referee_reports_undecided_cases():
    """Jumps of one size: |φ| does not decay, and there are too many jumps for a sum."""
    case = draw_case("Merton", 0, 1)
    parameters = {"sigma": 1e-12, "lam": 1e12, "mu_j": 0.5, "sigma_j": 1e-14}
    changed = type(case)(**{**vars(case), "parameters": parameters, "years": 1.0})
    try:
        doubt = referee_prices(changed, second=False).doubt
    except ArithmeticError:
        return
    assert np.all(np.isinf(doubt))
