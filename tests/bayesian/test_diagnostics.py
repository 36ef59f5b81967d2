"""Diagnostics of the draws so far."""

import math

import numpy as np
import pytest

from levy_bayesian.samplers.diagnostics import (
    chain_diagnostics,
    elbo_diagnostics,
    split_r_hat,
    weight_diagnostics,
)
from levy_schemas.jobs import Diagnostics

arviz = pytest.importorskip("arviz")


def chains(n: int = 400, away: float = 0.0) -> np.ndarray:
    drawn = np.random.default_rng(6).standard_normal((4, n, 3))
    drawn[0, :, 1] += away
    return drawn


@pytest.mark.parametrize("away", [0.0, 0.3, 3.0])
def test_r_hat_is_that_of_arviz_without_ranks(away: float) -> None:
    drawn = chains(away=away)
    expected = max(arviz.rhat(drawn[..., i], method="split") for i in range(3))
    assert split_r_hat(drawn) == pytest.approx(expected, rel=1e-9)


def test_r_hat_is_null_for_few_draws_and_constant_chains() -> None:
    assert split_r_hat(chains(60)) is None
    assert split_r_hat(np.zeros((4, 0, 3))) is None
    assert split_r_hat(np.ones((4, 400, 3))) is None


def test_divergences_are_those_after_warm_up_and_acceptance_is_the_latest() -> None:
    diverging = np.zeros((4, 500), dtype=bool)
    diverging[:, 50] = diverging[2, 480] = True
    accepted = np.concatenate([np.zeros((4, 400)), np.full((4, 100), 0.75)], axis=1)
    statistics = {"diverging": diverging, "acceptance_rate": accepted}
    found = chain_diagnostics(chains(), statistics, [0.5, 0.75])
    assert found == Diagnostics(
        draws=1600,
        r_hat=split_r_hat(chains()),
        divergences=1,
        acceptance_rate=0.75,
        step_size=0.625,
    )
    warming = chain_diagnostics(np.zeros((4, 0, 3)), statistics)
    assert (warming.draws, warming.divergences, warming.r_hat) == (0, 0, None)
    assert (warming.acceptance_rate, warming.step_size) == (0.75, None)


def test_values_that_are_not_finite_are_null() -> None:
    assert weight_diagnostics(0.3).pareto_k == 0.3
    assert weight_diagnostics(math.inf).pareto_k is None
    assert elbo_diagnostics(-12.5).elbo == -12.5
    assert elbo_diagnostics(math.nan).elbo is None
