"""The No-U-Turn sampler for PyMC models, by nutpie: an independent implementation.

PyMC's own sampler calls each gradient through Python, one chain at a time unless it forks, which
JAX does not survive; nutpie runs chains in threads, on the gradient that JAX compiles.

References
----------
Abril-Pla et al. (2023), PyMC: a modern and comprehensive probabilistic programming framework in
Python, PeerJ Computer Science 9, e1516.
"""

import os
import warnings
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np

from levy_bayesian.progress import Progress, ProgressCallback
from levy_bayesian.samplers.diagnostics import chain_diagnostics
from levy_bayesian.samplers.pymc_model import nutpie, pymc_model, shared_data
from levy_bayesian.samplers.sampler import Draws, Sampler, SamplingPlan, register
from levy_bayesian.samplers.target import N_PROGRAMS, Density, Shapes, Target
from levy_numerics.inference.posterior import Posterior
from levy_schemas.jobs import Stage

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
    """Slower than NumPyro's, since gradients pass through Python; a cross-check of its results."""

    name = "pymc-nuts"
    method = "Markov chain Monte Carlo: chains of the No-U-Turn sampler"
    packages = ("pymc", "nutpie", "jax", "numpy")

    def sample(self, posterior: Posterior, plan: SamplingPlan, progress: ProgressCallback) -> Draws:
        target = Target.of(posterior)
        progress(Progress(0.0, stage="compiling"))
        program = _Program(target.density, target.shapes, target)
        compiled = _compiled_model(program).with_data(**shared_data(target))
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
            trace = _wait(running, plan, progress)
        except BaseException:
            running.cancel()
            raise
        statistics = {
            name: np.asarray(trace.sample_stats[own]) for own, name in _STATISTICS.items()
        }
        draws = target.draws(np.asarray(trace.posterior["v"]), statistics)
        progress(Progress(1.0))
        return draws


@dataclass(frozen=True)
class _Program:
    """Key of a compiled model, which serves all posteriors of one density and shapes."""

    density: Density
    shapes: Shapes
    example: Target = field(compare=False)


@lru_cache(maxsize=N_PROGRAMS)
def _compiled_model(program: _Program) -> Any:
    return nutpie.compile_pymc_model(
        pymc_model(program.example), backend="jax", gradient_backend="jax"
    )


def _wait(running: Any, plan: SamplingPlan, progress: ProgressCallback) -> Any:
    """Return the complete trace; report progress meanwhile."""
    latest = Progress(0.0, stage="compiling")
    while True:
        progress(latest)
        try:
            return running.wait(timeout=_POLLED_SECONDS)
        except TimeoutError:
            now = _progress(running, plan)
            latest = replace(now, share=max(latest.share, now.share))


def _progress(running: Any, plan: SamplingPlan) -> Progress:
    """Return the progress of all chains; draws that a chain does not have yet are NaN."""
    with warnings.catch_warnings():
        # ArviZ assumes that a short trace is transposed.
        warnings.filterwarnings("ignore", "More chains", UserWarning)
        trace = running.inspect()
    n_warm, n_kept = _n_drawn(trace, "warmup_posterior"), _n_drawn(trace, "posterior")
    n_all = plan.n_chains * (plan.n_warmup + plan.n_samples)
    share = 0.99 * min(int((n_warm + n_kept).sum()) / n_all, 1.0)
    stage, stage_share = _stage(n_warm, n_kept, plan)
    if not n_kept.size or not (n := int(n_kept.min())):
        return Progress(share, None, stage, stage_share)
    stats = trace["sample_stats"]
    statistics = {name: np.asarray(stats[own])[:, :n] for own, name in _STATISTICS.items()}
    step_sizes = np.asarray(stats["step_size"])[:, n - 1].tolist()
    kept = np.asarray(trace["posterior"]["v"])[:, :n]
    diagnostics = chain_diagnostics(kept, statistics, step_sizes)
    return Progress(share, diagnostics, stage, stage_share)


def _stage(
    n_warm: np.ndarray, n_kept: np.ndarray, plan: SamplingPlan
) -> tuple[Stage, float | None]:
    """Return the stage of the chain that is ahead; without draws, the program is compiled."""
    if n_kept.any():
        return "sampling", min(int(n_kept.sum()) / (plan.n_chains * plan.n_samples), 1.0)
    if n_warm.any():
        return "warmup", min(int(n_warm.max()) / plan.n_warmup, 1.0)
    return "compiling", None


def _n_drawn(trace: Any, group: str) -> np.ndarray:
    """Return the number of draws of each chain so far, shape (n_chains,); 0 without the group."""
    if group not in trace:
        return np.zeros(1, dtype=int)
    return np.asarray(np.isfinite(trace[group]["v"][..., 0]).sum(axis=-1))
