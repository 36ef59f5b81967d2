"""Progress reports of nutpie's chains while they run."""

from typing import Any

import numpy as np
import pytest

from levy_bayesian.samplers.diagnostics import split_r_hat
from levy_bayesian.samplers.sampler import SamplingPlan

pytest.importorskip("pymc")
pymc_nuts = pytest.importorskip("levy_bayesian.samplers.pymc_nuts")
arviz = pytest.importorskip("arviz")

PLAN = SamplingPlan(n_chains=2, n_samples=400, n_warmup=200)
SHAPE = (2, 400)


class Running:
    """Return a sampler with some draws of each chain; the remaining draws are NaN."""

    def __init__(self, *n_kept: int) -> None:
        self.v = np.random.default_rng(2).standard_normal((*SHAPE, 3))
        for chain, n in zip(self.v, n_kept, strict=True):
            chain[n:] = np.nan

    def inspect(self) -> Any:
        diverging = np.zeros(SHAPE, dtype=bool)
        diverging[0, 10] = diverging[0, 350] = True
        groups = {
            "posterior": {"v": self.v},
            "warmup_posterior": {"v": np.zeros((2, 200, 3))},
            "sample_stats": {
                "diverging": diverging,
                "mean_tree_accept": np.full(SHAPE, 0.9),
                "n_steps": np.full(SHAPE, 3),
                "energy": np.zeros(SHAPE),
                "step_size": np.full(SHAPE, 0.7),
            },
        }
        # Before ArviZ 1.0, groups are keywords and the result is an InferenceData.
        if arviz.__version__.startswith("0."):
            return arviz.from_dict(**groups, save_warmup=True)
        return arviz.from_dict(groups, save_warmup=True)


def test_diagnostics_cover_draws_that_every_chain_has() -> None:
    running = Running(360, 300)
    found = pymc_nuts._progress(running, PLAN)
    assert found.share == pytest.approx(0.99 * (400 + 660) / 1200)
    seen = found.diagnostics
    assert seen is not None
    # A divergence at a draw that only one chain has reached is not reported yet.
    assert (seen.draws, seen.divergences) == (600, 1)
    assert seen.r_hat == split_r_hat(running.v[:, :300])
    assert (seen.acceptance_rate, seen.step_size) == (pytest.approx(0.9), pytest.approx(0.7))


def test_only_progress_is_reported_before_every_chain_has_draws() -> None:
    found = pymc_nuts._progress(Running(20, 0), PLAN)
    assert found.share == pytest.approx(0.99 * 420 / 1200)
    assert found.diagnostics is None
