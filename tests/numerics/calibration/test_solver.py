"""The least-squares solver against SciPy's trust region, on pricing and on textbook problems."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares

from levy_numerics import models
from levy_numerics.calibration import trust_region
from levy_numerics.calibration.objective import Objective
from levy_numerics.calibration.solver_problem import Evaluation, LeastSquaresProblem
from levy_numerics.market import Quotes
from tests.numerics.calibration.surfaces import CONTRACTS, exact_quotes


def problem_of(residuals, jacobian, low, high) -> LeastSquaresProblem:  # type: ignore[no-untyped-def]
    return LeastSquaresProblem(
        lambda z: Evaluation(residuals(z), jacobian(z), residuals(z), np.ones(len(residuals(z)))),
        np.array(low),
        np.array(high),
        floor=1e-14,
        n_residuals=len(residuals(np.array(low))),
    )


def test_rosenbrock_is_solved() -> None:
    # Rosenbrock (1960), The Computer Journal 3(3), 175-184.
    problem = problem_of(
        lambda z: np.array([10.0 * (z[1] - z[0] ** 2), 1.0 - z[0]]),
        lambda z: np.array([[-20.0 * z[0], 10.0], [-1.0, 0.0]]),
        [-5.0, -5.0],
        [5.0, 5.0],
    )
    solution = trust_region.solve(problem, np.array([-1.2, 1.0]))
    assert solution.status == "converged"
    assert solution.point == pytest.approx([1.0, 1.0], abs=1e-9)


def test_a_minimum_outside_the_box_is_found_on_its_edge() -> None:
    problem = problem_of(
        lambda z: np.array([z[0] - 3.0, z[1] - 0.5]), lambda z: np.eye(2), [-1.0, -1.0], [1.0, 1.0]
    )
    solution = trust_region.solve(problem, np.array([0.0, 0.0]))
    assert solution.status == "at_bound"
    assert solution.point == pytest.approx([1.0, 0.5], abs=1e-5)


def test_a_start_that_cannot_be_evaluated_diverges() -> None:
    problem = problem_of(
        lambda z: np.full(2, np.nan), lambda z: np.full((2, 1), np.nan), [-1.0], [1.0]
    )
    assert trust_region.solve(problem, np.array([0.0])).status == "diverged"


def test_a_wrong_jacobian_has_the_status_stalled() -> None:
    problem = problem_of(
        lambda z: np.array([z[0] - 0.5, 1.0]), lambda z: np.array([[-1.0], [0.0]]), [-9.0], [9.0]
    )
    solution = trust_region.solve(problem, np.array([2.0]))
    assert solution.status == "stalled" or solution.reason == "the step vanishes"
    assert solution.point == pytest.approx([2.0])


@pytest.mark.parametrize("name", [n for n in models.names() if n != "BlackScholes"])
def test_noisy_quotes_reach_the_same_minimum_as_scipy(name: str) -> None:
    cls = models.get(name)
    exact = exact_quotes(cls.example())
    rng = np.random.default_rng(4)
    noise = 1e-3 * CONTRACTS.forward * rng.standard_normal(exact.size)
    objective = Objective.of(Quotes.of(CONTRACTS, np.maximum(exact.price + noise, 0.0)), "price")
    problem = objective.problem(cls)
    start = np.asarray(cls.example().to_coordinates())
    ours = trust_region.solve(problem, start)
    theirs = least_squares(
        lambda z: problem.evaluate(z).residuals,
        start,
        lambda z: problem.evaluate(z).jacobian,
        bounds=(problem.low, problem.high),
        xtol=1e-12,
        ftol=1e-14,
        gtol=1e-14,
        max_nfev=400,
    )
    assert ours.cost <= theirs.cost * (1.0 + 1e-6)


@pytest.mark.parametrize("name", models.names())
def test_the_jacobian_equals_central_differences(name: str) -> None:
    cls = models.get(name)
    problem = Objective.of(exact_quotes(cls.example()), "price").problem(cls)
    z = np.asarray(cls.example().to_coordinates()) + 0.05
    jacobian = problem.evaluate(z).jacobian
    for j, step in enumerate(1e-4 * np.eye(z.size)):
        up, down = problem.evaluate(z + step), problem.evaluate(z - step)
        difference = (up.residuals - down.residuals) / 2e-4
        assert jacobian[:, j] == pytest.approx(difference, abs=2e-8)


@pytest.mark.parametrize("weights", ["price", "vega"])
@pytest.mark.parametrize("name", models.names())
def test_the_extrapolated_last_step_reaches_its_prediction(name: str, weights: str) -> None:
    cls = models.get(name)
    exact = exact_quotes(cls.example())
    time_value = exact.price - CONTRACTS.lower_bound
    noise = 1e-3 * time_value * np.random.default_rng(5).standard_normal(exact.size)
    problem = Objective.of(Quotes.of(CONTRACTS, exact.price + noise), weights).problem(cls)
    evaluated_at: list[np.ndarray] = []

    def evaluate(z: np.ndarray) -> Evaluation:
        evaluated_at.append(z.copy())
        return problem.evaluate(z)

    start = np.asarray(cls.example().to_coordinates()) + 0.02
    watched = replace(problem, evaluate=evaluate, iterate=None)
    found = trust_region.solve(watched, start)
    there = problem.evaluate(found.point)
    deviation = np.linalg.norm(found.residuals) / np.sqrt(found.residuals.size)
    assert np.abs(found.residuals - there.residuals).max() < 1e-3 * deviation
    np.testing.assert_allclose(found.values, there.values, rtol=1e-6, atol=1e-6 * noise.std())
    # Distance from the optimum in standard errors: the gradient on the scale of the Jacobian.
    left = np.linalg.lstsq(there.jacobian, there.residuals, rcond=1e-6)[0]
    assert np.linalg.norm(there.jacobian @ left) < 1e-2 * deviation
    evaluated = any(np.array_equal(z, found.point) for z in evaluated_at)
    assert evaluated == (found.reason != "no further step could matter")
    if name == "VarianceGamma" and weights == "price":
        assert not evaluated


@pytest.mark.parametrize("weights", ["price", "vega", "bid_ask"])
@pytest.mark.parametrize("name", ["VarianceGamma", "CGMY", "NIG", "Merton"])
def test_compiled_iterations_are_those_of_the_interpreter(name: str, weights: str) -> None:
    cls = models.get(name)
    exact = exact_quotes(cls.example())
    rng = np.random.default_rng(6)
    time_value = exact.price - CONTRACTS.lower_bound
    price = exact.price + 3e-3 * time_value * rng.standard_normal(exact.size)
    quotes = Quotes.of(CONTRACTS, price, bid=0.98 * price, ask=1.02 * price)
    problem = Objective.of(quotes, weights).problem(cls)
    start = np.asarray(cls.example().to_coordinates()) + 0.1
    counted: list[int] = []

    def evaluate(z: np.ndarray) -> Evaluation:
        counted.append(1)
        return problem.evaluate(z)

    interpreted = trust_region.solve(replace(problem, iterate=None), start)
    compiled = trust_region.solve(replace(problem, evaluate=evaluate), start)
    assert len(counted) < compiled.n_evaluations, "no iteration was compiled"
    assert compiled.status == interpreted.status == "converged"
    assert compiled.cost == pytest.approx(interpreted.cost, rel=1e-9)
    np.testing.assert_allclose(compiled.point, interpreted.point, rtol=1e-6)
    at = problem.evaluate(compiled.point)
    np.testing.assert_allclose(compiled.values, at.values, rtol=1e-6)
    scale = np.abs(at.jacobian).max()
    np.testing.assert_allclose(compiled.jacobian, at.jacobian, atol=1e-2 * scale)


def test_a_request_to_stop_is_heard_between_compiled_iterations() -> None:
    cls = models.get("CGMY")
    problem = Objective.of(exact_quotes(cls.example()), "price").problem(cls)
    start = np.asarray(cls.example().to_coordinates()) + 0.5
    solution = trust_region.solve(problem, start, should_stop=lambda: True)
    assert solution.status == "max_evaluations"
    assert 1 <= solution.n_evaluations <= 8


def test_a_start_far_above_the_best_cost_is_given_up() -> None:
    # A narrow valley: the first 40 evaluations do not reach its end.
    problem = problem_of(
        lambda z: np.array([1e4 * (z[1] - z[0] ** 2), 1.0 - z[0]]),
        lambda z: np.array([[-2e4 * z[0], 1e4], [-1.0, 0.0]]),
        [-50.0, -50.0],
        [50.0, 2500.0],
    )
    start = np.array([-30.0, 900.0])
    solution = trust_region.solve(problem, start, give_up_above=1e-9)
    assert solution.reason.startswith("given up")
    assert trust_region.solve(problem, start).n_evaluations > solution.n_evaluations


def test_a_last_step_that_is_long_is_evaluated() -> None:
    # A residual of 1 that cannot be reduced hides what the other one leaves: the reduction of the
    # last step, of 0.2, is negligible although the linear prediction is off by a tenth of it.
    def residuals(z: np.ndarray) -> np.ndarray:
        return np.array([1.0, 1e-4 * np.expm1(z[0])])

    problem = problem_of(
        residuals, lambda z: np.array([[0.0], [1e-4 * np.exp(z[0])]]), [-5.0], [5.0]
    )
    solution = trust_region.solve(problem, np.array([1.5]))
    assert solution.status == "converged"
    np.testing.assert_array_equal(solution.residuals, residuals(solution.point))


@pytest.mark.parametrize("weights", ["price", "vega"])
@pytest.mark.parametrize("name", ["VarianceGamma", "NIG", "CGMY", "Merton"])
def test_a_fit_to_noisy_quotes_ends_within_a_thousandth_of_its_standard_errors(
    name: str, weights: str
) -> None:
    exact = exact_quotes(models.get(name).example())
    errors = 0.02 * np.random.default_rng(8).standard_normal(exact.size)
    quotes = Quotes.of(exact.contracts, np.maximum(exact.price + errors, 1e-3))
    problem = Objective.of(quotes, weights).problem(models.get(name))
    start = np.asarray(models.get(name).example().to_coordinates()) + 0.1
    ours = trust_region.solve(problem, start)
    reference = least_squares(
        lambda z: problem.evaluate(z).residuals,
        ours.point,
        lambda z: problem.evaluate(z).jacobian,
        bounds=(problem.low, problem.high),
        xtol=1e-14,
        ftol=1e-14,
        gtol=1e-14,
    )
    degrees = quotes.size - len(start)
    # The squared distance in standard errors, in the metric of the Jacobian.
    distance = ours.jacobian @ (ours.point - reference.x)
    assert ours.status in ("converged", "at_bound")
    assert distance @ distance <= 1e-6 * 2.0 * ours.cost / degrees
