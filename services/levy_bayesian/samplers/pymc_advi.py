"""Automatic differentiation variational inference by PyMC: a normal of full rank.

References
----------
Kucukelbir, Tran, Ranganath, Gelman and Blei (2017), Automatic differentiation variational
inference, JMLR 18(14), 1-45.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from levy_bayesian.progress import Progress, Standing
from levy_bayesian.samplers.diagnostics import of_bound, of_weights
from levy_bayesian.samplers.guide import RESAMPLED_GUIDE, weighted_draws
from levy_bayesian.samplers.pymc_model import pm, pymc_model
from levy_bayesian.samplers.sampler import Draws, Sampler, SamplingPlan, register
from levy_bayesian.samplers.target import Target
from levy_numerics.inference.posterior import Posterior

_STEPS: Final = 3000
_TOLD_EVERY: Final = 100
_RATE: Final = 1e-2
_FITTED: Final = 0.9


@register
class PyMCAdvi(Sampler):
    """Seconds; `pareto_k` says how near the normal came, and its draws are weighted."""

    name = "pymc-advi"
    method = RESAMPLED_GUIDE
    packages = ("pymc", "jax", "numpy")

    def sample(self, posterior: Posterior, plan: SamplingPlan, progress: Progress) -> Draws:
        target = Target.of(posterior)
        averaged = _Averaged()

        with pymc_model(target), _told_no_more():
            fit = pm.FullRankADVI(random_seed=plan.seed)

            def told(_: Any, losses: np.ndarray, step: int) -> None:
                if step % _TOLD_EVERY == 0:
                    bound = of_bound(-float(np.mean(losses[-_TOLD_EVERY:])))
                    progress(Standing(_FITTED * step / _STEPS, bound))
                if step > _STEPS // 2:
                    averaged.add({k: v.get_value() for k, v in fit.approx.params_dict.items()})

            optimiser = pm.adam(learning_rate=_RATE)
            fit.fit(_STEPS, callbacks=[told], obj_optimizer=optimiser, progressbar=False)
            averaged.put(fit.approx.params_dict)
            centre, covariance = fit.approx.mean.eval(), fit.approx.cov.eval()
        draws = weighted_draws(target, centre, np.linalg.cholesky(covariance), plan)
        progress(Standing(1.0, of_weights(draws.pareto_k)))
        return draws


class _Averaged:
    """Mean of what the fit wanders about in its second half: its steps do not shrink."""

    def __init__(self) -> None:
        self._n = 0
        self._mean: dict[str, np.ndarray] = {}

    def add(self, values: dict[str, np.ndarray]) -> None:
        self._n += 1
        for name, value in values.items():
            before = self._mean.get(name, np.zeros_like(value))
            self._mean[name] = before + (value - before) / self._n

    def put(self, shared: dict[str, Any]) -> None:
        for name, value in self._mean.items():
            shared[name].set_value(value)


@contextmanager
def _told_no_more() -> Iterator[None]:
    """PyMC logs each fit's end as news; whoever asked is told by `progress`."""
    log = logging.getLogger("pymc")
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(before)
