"""Followers on simulated days."""

import json

import numpy as np
import pytest
from scipy.optimize import least_squares

from levy_numerics import models, pricing
from levy_numerics.calibration.objective import Objective
from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts, Quotes
from levy_numerics.sequential import ESTIMATORS, follower_of
from levy_numerics.sequential.followers import log_forward_of
from levy_numerics.sequential.penalised import solve_penalised

VG = models.VarianceGamma
NOISE = 0.005
SENSITIVITY = np.array([-4.0, 0.0, 0.0])
MOVES = np.array([0.02, 0.05, 0.03])


def surface(model: VG, forward: float, rng: np.random.Generator) -> Quotes:
    """Return prices of a model with errors proportional to the volatility's effect."""
    contracts = Contracts.grid(
        spot=forward,
        rate=0.0,
        dividend_yield=0.0,
        strikes=forward * np.linspace(0.8, 1.2, 9),
        maturities=[0.1, 0.25, 0.5, 1.0],
    )
    price = pricing.price(model, contracts).value
    shifts = NOISE * forward * 0.1 * rng.standard_normal(price.size)
    return Quotes.of(contracts, np.maximum(price + shifts * price / forward, 1e-6))


def simulated_days(n: int) -> list[tuple[VG, Quotes]]:
    rng = np.random.default_rng(11)
    z, forward, days = np.array(VG.example().to_coordinates(), dtype=float), 100.0, []
    for k in range(n):
        x = 0.015 * rng.standard_normal() if k else 0.0
        forward *= np.exp(x)
        z = z + SENSITIVITY * x + MOVES * rng.standard_normal(3) * (k > 0)
        model = VG.from_coordinates(z)
        days.append((model, surface(model, forward, rng)))
    return days


@pytest.fixture(scope="module")
def days() -> list[tuple[VG, Quotes]]:
    return simulated_days(40)


def test_the_penalised_fit_is_that_of_an_independent_solver(days: list[tuple[VG, Quotes]]) -> None:
    _, quotes = days[1]
    objective = Objective.of(quotes, "vega")
    problem = objective.problem(VG)
    mean = np.array(days[0][0].to_coordinates(), dtype=float) + 0.1
    root = np.diag([30.0, 5.0, 2.0]) + 0.5
    variance = 1e-6
    found = solve_penalised(VG, objective, mean, root.T @ root, variance)

    def residuals(z: np.ndarray) -> np.ndarray:
        penalty = np.sqrt(variance) * root @ (z - mean)
        return np.concatenate([problem.evaluate(z).residuals, penalty])

    reference = least_squares(residuals, mean, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    np.testing.assert_allclose(found.point, reference.x, atol=2e-5)
    assert found.residuals.size == quotes.size


def test_the_filter_predicts_better_than_the_day_before(days: list[tuple[VG, Quotes]]) -> None:
    errors = {}
    for estimator in ("filter", "warm"):
        follower = follower_of(estimator, VG)
        followed = [follower.update(quotes) for _, quotes in days]
        errors[estimator] = [
            np.sum((np.subtract(one.predicted.to_coordinates(), truth.to_coordinates())) ** 2)
            for one, (truth, _) in zip(followed[10:], days[10:], strict=True)
            if one.predicted is not None
        ]
    assert np.mean(errors["filter"]) < 0.9 * np.mean(errors["warm"])


def test_intervals_of_the_filter_contain_the_truth(days: list[tuple[VG, Quotes]]) -> None:
    follower, hits = follower_of("filter", VG), []
    for truth, quotes in days:
        intervals = follower.update(quotes).intervals()
        hits += [
            low <= value <= high
            for value, (low, high) in zip(
                truth.as_mapping().values(), intervals.values(), strict=True
            )
        ]
    assert 0.88 <= np.mean(hits) <= 1.0


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_follower_continues_from_its_memory(
    estimator: str, days: list[tuple[VG, Quotes]]
) -> None:
    whole = follower_of(estimator, VG)
    expected = [whole.update(quotes).fit.parameters for _, quotes in days[:9]][-1]
    first = follower_of(estimator, VG)
    for _, quotes in days[:4]:
        first.update(quotes)
    second = follower_of(estimator, VG)
    second.restore(json.loads(json.dumps(first.memory())))
    assert [second.update(quotes).fit.parameters for _, quotes in days[4:9]][-1] == expected


@pytest.mark.parametrize("moves", [0.0, 0.3])
def test_the_penalty_is_strong_where_parameters_stay(moves: float) -> None:
    rng = np.random.default_rng(5)
    point = np.array(VG.example().to_coordinates(), dtype=float)
    penalised, warm = follower_of("penalised", VG), follower_of("warm", VG)
    fits, strength = {"penalised": [], "warm": []}, None
    for _ in range(12):
        point = point + moves * rng.standard_normal(3)
        quotes = surface(VG.from_coordinates(point), 100.0, rng)
        for name, follower in (("penalised", penalised), ("warm", warm)):
            followed = follower.update(quotes)
            fits[name].append(followed.fit)
            strength = followed.strength if name == "penalised" else strength
    cost = {name: sum(fit.cost for fit in found[1:]) for name, found in fits.items()}
    assert cost["penalised"] <= 1.03**2 * 1.02 * cost["warm"]
    points = {
        name: np.array([fit.model.to_coordinates() for fit in found[2:]], dtype=float)
        for name, found in fits.items()
    }
    total = {name: np.abs(np.diff(z, axis=0)).sum() for name, z in points.items()}
    if moves:
        assert strength < 0.1
        assert total["penalised"] > 0.9 * total["warm"]
    else:
        assert strength >= 0.1
        assert total["penalised"] < 0.8 * total["warm"]


def test_a_day_without_enough_quotes_changes_nothing(days: list[tuple[VG, Quotes]]) -> None:
    follower = follower_of("filter", VG)
    follower.update(days[0][1])
    before = json.dumps(follower.memory())
    few = days[1][1].select(np.arange(days[1][1].size) < 2)
    with pytest.raises(InvalidInputError, match="2 quotes cannot determine"):
        follower.update(few)
    assert json.dumps(follower.memory()) == before


def test_the_forward_of_returns_is_that_of_three_months(days: list[tuple[VG, Quotes]]) -> None:
    contracts = Contracts.grid(
        spot=100.0, rate=0.04, dividend_yield=0.0, strikes=[100.0], maturities=[0.1, 0.5]
    )
    assert log_forward_of(contracts) == pytest.approx(np.log(100.0) + 0.04 * 0.25)


def test_an_unknown_estimator_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="must be one of filter, penalised, warm"):
        follower_of("smoother", VG)


def test_exact_prices_leave_intervals() -> None:
    follower, rng = follower_of("filter", VG), np.random.default_rng(5)
    for k in range(8):
        model = VG(sigma=0.2, nu=0.3, theta=-0.15 - 0.002 * k)
        contracts = surface(model, 100.0 * np.exp(0.01 * rng.standard_normal()), rng).contracts
        followed = follower.update(Quotes.of(contracts, pricing.price(model, contracts).value))
        for name, (low, high) in followed.intervals().items():
            assert low <= followed.fit.parameters[name] <= high
            assert high - low < 0.01
