"""Fits in a limiting case of the model name it, and their parameters can be priced.

The implied volatility of a Gaussian law is flat, so that the best fit of any model to a flat smile
is its Gaussian limit, in the parameters of the literature: σ of Variance Gamma's subordinated
Brownian motion stays and ν → 0 (Madan, Carr and Chang 1998); NIG α → ∞ with δ/α fixed
(Barndorff-Nielsen 1997); Meixner a → 0 with a²d/2 fixed (Schoutens 2002); CGMY Y → 2; jump
diffusions λ → 0; gamma processes α → ∞ with α/λ² fixed; a stochastic clock without volatility.
"""

import numpy as np
import pytest

from levy_numerics import models
from levy_numerics.calibration import calibrate
from levy_numerics.calibration.boundaries import degenerate_limits
from levy_numerics.calibration.objective import Objective
from levy_numerics.calibration.solver_problem import Solution
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import BlackScholes
from tests.numerics.calibration.surfaces import exact_quotes
from tests.reference.textbook import textbooks

CONTRACTS = Contracts.grid(
    spot=100.0,
    rate=0.03,
    dividend_yield=0.01,
    strikes=np.linspace(80.0, 120.0, 9),
    maturities=[0.25, 0.5, 1.0],
)
NAMES = [name for name in models.names() if name != "BlackScholes"]


SUFFIXES = ("Additive", "Sato", "CIR")


def expected(name: str) -> set[str]:
    base = next((name.removesuffix(s) for s in SUFFIXES if name.endswith(s)), name)
    limit = set(textbooks()[base].content["gaussian_limit"])
    return limit | ({"lam_clock → 0"} if name.endswith("CIR") else set())


@pytest.mark.parametrize("weights", ["price", "vega"])
@pytest.mark.parametrize("vol", [0.1, 0.6])
@pytest.mark.parametrize("name", NAMES)
def test_a_flat_smile_is_the_gaussian_limit_of_every_model(
    name: str, vol: float, weights: str
) -> None:
    flat = exact_quotes(BlackScholes(sigma=vol), CONTRACTS)
    fit = calibrate(models.get(name), flat, weights=weights)
    assert fit.status == "at_bound"
    limits = set(fit.boundary_parameters)
    if name.endswith("Additive"):
        # Either component may carry the variance, or both; CGMY's has two Gaussian limits.
        first = expected(name) | ({"C → ∞", "G → ∞", "M → ∞"} if "CGMY" in name else set())
        assert limits
        assert limits <= first | {limit.replace(" ", "_2 ", 1) for limit in first}
    else:
        assert limits == expected(name)
    assert fit.fit.implied_vol_rmse < 1e-5
    assert any("is a limit of" in warning for warning in fit.warnings)


@pytest.mark.parametrize("name", NAMES)
def test_an_interior_optimum_has_no_limit(name: str) -> None:
    fit = calibrate(models.get(name), exact_quotes(models.get(name).example(), CONTRACTS))
    assert (fit.status, fit.boundary_parameters) == ("converged", ())


def test_a_member_near_the_gaussian_limit_is_not_in_it_where_the_quotes_see_the_difference() -> (
    None
):
    # Excess kurtosis 3ν/T = 0.006 moves prices by 1e-5 of the forward: 10,000 times their error.
    near = models.from_mapping("VarianceGamma", {"sigma": 0.2, "nu": 5e-4, "theta": -0.1})
    fit = calibrate(type(near), exact_quotes(near, CONTRACTS))
    assert (fit.status, fit.boundary_parameters) == ("converged", ())
    assert fit.parameters["nu"] == pytest.approx(5e-4, rel=1e-2)


def test_one_side_of_bilateral_gamma_may_be_gaussian_alone() -> None:
    # Upward jumps of shape 5e6 have a skewness of 2/√5e6 = 0.001: they are a diffusion.
    one_sided = models.from_mapping(
        "BilateralGamma",
        {"alpha_p": 5e6, "lambda_p": 2e4, "alpha_m": 0.3, "lambda_m": 3.8},
    )
    quotes = exact_quotes(one_sided, CONTRACTS)
    fit = calibrate(type(one_sided), quotes, start=one_sided.as_mapping())
    assert fit.status == "at_bound"
    assert set(fit.boundary_parameters) >= {"alpha_p → ∞", "lambda_p → ∞"}
    assert not any("_m" in limit for limit in fit.boundary_parameters)


@pytest.mark.parametrize("name", ["VarianceGamma", "NIG", "Meixner", "CGMY", "Kou", "Merton"])
def test_a_flat_smile_in_ten_thousandths_is_the_gaussian_limit_too(name: str) -> None:
    # The residual is rounding, so a fit may stop anywhere near the limit.
    exact = exact_quotes(BlackScholes(sigma=0.2), CONTRACTS)
    rounded = Quotes.of(CONTRACTS, np.round(exact.price, 4))
    fit = calibrate(models.get(name), rounded, weights="price")
    assert fit.status == "at_bound"
    assert set(fit.boundary_parameters) == expected(name)


def test_noise_about_a_flat_smile_is_named_where_the_fit_is_gaussian() -> None:
    rng = np.random.default_rng(0)
    exact = exact_quotes(BlackScholes(sigma=0.2), CONTRACTS)
    for _ in range(20):
        noisy = Quotes.of(CONTRACTS, exact.price + 0.01 * rng.standard_normal(exact.size))
        fit = calibrate(models.get("VarianceGamma"), noisy)
        _, variance, third, fourth = fit.model.cumulants(0.25)
        skewness, kurtosis = third / variance**1.5, fourth / variance**2
        if abs(skewness) < 1e-4 and kurtosis < 1e-4:
            assert (fit.status, fit.boundary_parameters) == ("at_bound", ("nu → 0",))


@pytest.mark.parametrize(
    ("name", "coordinate", "end", "limit"),
    [
        ("BlackScholes", 0, "high", "sigma → ∞"),
        ("Kou", 0, "low", "lam → 0"),
        ("Kou", 2, "high", "p → 1"),
        ("Kou", 4, "low", "eta1 → 1"),
        ("NIG", 1, "high", "beta → ∞"),
        ("NIG", 2, "high", "beta → −∞"),
        ("CGMY", 2, "low", "M → 1"),
    ],
)
def test_an_edge_of_the_search_box_is_named_by_the_parameter_that_runs_to_it(
    name: str, coordinate: int, end: str, limit: str
) -> None:
    cls = models.get(name)
    objective = Objective.of(exact_quotes(cls.example(), CONTRACTS), "price")
    problem = objective.problem(cls)
    point = np.asarray(cls.example().to_coordinates(), dtype=float)
    point[coordinate] = getattr(problem, end)[coordinate]
    exact = np.zeros(CONTRACTS.size)
    jacobian = np.ones((CONTRACTS.size, point.size))
    solution = Solution(point, exact, jacobian, exact, "at_bound", "", 1)
    model = cls.from_coordinates(point)
    assert degenerate_limits(model, solution, problem, objective) == (limit,)
