"""The No-U-Turn sampler for PyMC's models, by nutpie: another adaptation, other code.

PyMC's own sampler calls each gradient through Python, one chain at a time unless it forks, which
JAX does not survive; nutpie runs chains in threads, on the gradient that JAX compiles.

References
----------
Abril-Pla et al. (2023), PyMC: a modern and comprehensive probabilistic programming framework in
Python, PeerJ Computer Science 9, e1516.
"""

import os
import warnings
from dataclasses import replace
from typing import Any, Final

import numpy as np

from levy_bayesian.progress import Progress, Standing
from levy_bayesian.samplers.diagnostics import of_chains
from levy_bayesian.samplers.pymc_model import nutpie, pymc_model
from levy_bayesian.samplers.sampler import Draws, Sampler, SamplingPlan, register
from levy_bayesian.samplers.target import Target
from levy_numerics.inference.posterior import Posterior

_POLLED_SECONDS: Final = 0.5
_STATISTICS: Final = {
    "diverging": "diverging",
    "mean_tree_accept": "acceptance_rate",
    "n_steps": "n_steps",
    "energy": "energy",
}
"""nutpie's names, and ArviZ's."""


@register
class PyMCNuts(Sampler):
    """Slower than NumPyro's: each gradient passes through Python. It is there to agree."""

    name = "pymc-nuts"
    method = "Markov chain Monte Carlo: chains of the No-U-Turn sampler"
    packages = ("pymc", "nutpie", "jax", "numpy")

    def sample(self, posterior: Posterior, plan: SamplingPlan, progress: Progress) -> Draws:
        target = Target.of(posterior)
        compiled = nutpie.compile_pymc_model(
            pymc_model(target), backend="jax", gradient_backend="jax"
        )
        running = nutpie.sample(
            compiled,
            draws=plan.n_samples,
            tune=plan.n_warmup,
            chains=plan.n_chains,
            cores=min(plan.n_chains, os.cpu_count() or 1),
            seed=plan.seed,
            progress_bar=False,
            blocking=False,
        )
        try:
            found = _awaited(running, plan, progress)
        except BaseException:
            running.cancel()
            raise
        statistics = {
            name: np.asarray(found.sample_stats[own]) for own, name in _STATISTICS.items()
        }
        draws = target.draws(np.asarray(found.posterior["v"]), statistics)
        progress(Standing(1.0))
        return draws


def _awaited(running: Any, plan: SamplingPlan, progress: Progress) -> Any:
    """The trace, once it is whole; told of meanwhile."""
    standing = Standing(0.0)
    while True:
        progress(standing)
        try:
            return running.wait(timeout=_POLLED_SECONDS)
        except TimeoutError:
            now = _standing(running, plan)
            standing = replace(now, share=max(standing.share, now.share))


def _standing(running: Any, plan: SamplingPlan) -> Standing:
    """How far all chains are; where one is ahead, the others' draws are not a number yet."""
    with warnings.catch_warnings():
        # ArviZ takes a trace that has hardly begun for one that lies on its side.
        warnings.filterwarnings("ignore", "More chains", UserWarning)
        trace = running.inspect()
    n_warm, n_kept = _n_drawn(trace, "warmup_posterior"), _n_drawn(trace, "posterior")
    n_all = plan.n_chains * (plan.n_warmup + plan.n_samples)
    share = 0.99 * min(int((n_warm + n_kept).sum()) / n_all, 1.0)
    if not n_kept.size or not (n := int(n_kept.min())):
        return Standing(share)
    said = trace["sample_stats"]
    statistics = {name: np.asarray(said[own])[:, :n] for own, name in _STATISTICS.items()}
    step_sizes = np.asarray(said["step_size"])[:, n - 1].tolist()
    return Standing(
        share, of_chains(np.asarray(trace["posterior"]["v"])[:, :n], statistics, step_sizes)
    )


def _n_drawn(trace: Any, group: str) -> np.ndarray:
    """Draws of each chain so far, shape (n_chains,); of none where there is no such group."""
    if group not in trace:
        return np.zeros(1, dtype=int)
    return np.asarray(np.isfinite(trace[group]["v"][..., 0]).sum(axis=-1))
