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

from levy_bayesian.progress import Progress, ProgressCallback
from levy_bayesian.samplers.diagnostics import elbo_diagnostics, weight_diagnostics
from levy_bayesian.samplers.guide import RESAMPLED_GUIDE, weighted_draws
from levy_bayesian.samplers.pymc_model import pm, pymc_model
from levy_bayesian.samplers.sampler import Draws, Sampler, SamplingPlan, register
from levy_bayesian.samplers.target import Target
from levy_numerics.inference.posterior import Posterior

_STEPS: Final = 3000
_REPORT_EVERY: Final = 100
_RATE: Final = 1e-2
_FIT_SHARE: Final = 0.9


@register
class PyMCAdvi(Sampler):
    """Takes seconds; draws are importance-weighted, and `pareto_k` is the diagnostic."""

    name = "pymc-advi"
    method = RESAMPLED_GUIDE
    packages = ("pymc", "jax", "numpy")

    def sample(self, posterior: Posterior, plan: SamplingPlan, progress: ProgressCallback) -> Draws:
        target = Target.of(posterior)
        average = _IterateAverage()
        progress(Progress(0.0, stage="compiling"))

        with pymc_model(target), _info_logs_disabled():
            fit = pm.FullRankADVI(random_seed=plan.seed)

            def report(_: Any, losses: np.ndarray, step: int) -> None:
                if step % _REPORT_EVERY == 0:
                    bound = elbo_diagnostics(-float(np.mean(losses[-_REPORT_EVERY:])))
                    fitted = step / _STEPS
                    progress(Progress(_FIT_SHARE * fitted, bound, "fitting", fitted))
                if step > _STEPS // 2:
                    average.add({k: v.get_value() for k, v in fit.approx.params_dict.items()})

            optimiser = pm.adam(learning_rate=_RATE)
            fit.fit(_STEPS, callbacks=[report], obj_optimizer=optimiser, progressbar=False)
            average.put(fit.approx.params_dict)
            centre, covariance = fit.approx.mean.eval(), fit.approx.cov.eval()
        progress(Progress(_FIT_SHARE, stage="sampling"))
        draws = weighted_draws(target, centre, np.linalg.cholesky(covariance), plan)
        progress(Progress(1.0, weight_diagnostics(draws.pareto_k)))
        return draws


class _IterateAverage:
    """Mean of the iterates in the second half of the fit, whose step size is constant."""

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
def _info_logs_disabled() -> Iterator[None]:
    """Suppress PyMC's log line at the end of each fit."""
    log = logging.getLogger("pymc")
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(before)
