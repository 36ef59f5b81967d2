"""The No-U-Turn sampler of NumPyro, on compiled exact prices.

References
----------
Hoffman and Gelman (2014), The No-U-Turn sampler, JMLR 15(47), 1593-1623. Phan, Pradhan and
Jankowiak (2019), Composable effects for flexible and accelerated probabilistic programming in
NumPyro, arXiv:1912.11554.
"""

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Self

import jax
import numpy as np
from numpyro.infer.hmc import hmc

from levy_bayesian.progress import Progress, ProgressCallback
from levy_bayesian.samplers.diagnostics import chain_diagnostics
from levy_bayesian.samplers.sampler import Draws, Sampler, SamplingPlan, register
from levy_bayesian.samplers.target import N_PROGRAMS, Density, Geometry, Shapes, Target
from levy_numerics.inference.posterior import Posterior
from levy_schemas.jobs import Stage

_BLOCK: Final = 100
"""Draws after which a chain can be stopped, and progress is reported."""
_ACCEPTANCE: Final = 0.9
_HIGH_ACCEPTANCE: Final = 0.97
"""For steep ridges: with 0.93, 20,000 draws of Merton have a tail ESS of 3,000 and some diverge;
with 0.97 it is 8,000 without divergences, for 40% more steps."""
_LOW_DIMENSION: Final = 4
"""Three parameters and the noise, for which there are no divergences at the lower rate."""
_MAX_TREE_DEPTH: Final = 8
_STATISTICS: Final = {
    "diverging": "diverging",
    "accept_prob": "acceptance_rate",
    "num_steps": "n_steps",
    "potential_energy": "energy",
}
"""NumPyro's names, and ArviZ's."""


@register
class NumPyroNuts(Sampler):
    """Runs a thread per chain: compiled code releases the interpreter lock."""

    name = "numpyro-nuts"
    method = "Markov chain Monte Carlo: chains of the No-U-Turn sampler"
    packages = ("numpyro", "jax", "numpy")

    def sample(self, posterior: Posterior, plan: SamplingPlan, progress: ProgressCallback) -> Draws:
        target = Target.of(posterior)
        progress(Progress(0.0, stage="compiling"))
        program = _program(target.density, plan.n_warmup, target.shapes)
        v, statistics = _Chains(program, plan).run(target.geometry, progress)
        kept = {name: values[:, plan.n_warmup :] for name, values in statistics.items()}
        return target.draws(v[:, plan.n_warmup :], kept)


@dataclass(frozen=True)
class _Program:
    """Compiled functions that start and advance a chain."""

    begin: Callable[[Any, Geometry], Any]
    advance: Callable[[Any, Geometry], Any]


@lru_cache(maxsize=N_PROGRAMS)
def _program(density: Density, n_warmup: int, _shapes: Shapes) -> _Program:
    """Return the program for all posteriors of a density; it adapts for `n_warmup` steps.

    The shapes of the geometry are part of the key, so that the cache bounds the number of programs.
    """
    init, step = hmc(potential_fn_gen=lambda geometry: lambda v: -density(v, geometry), algo="NUTS")

    @jax.jit
    def begin(key: Any, geometry: Geometry) -> Any:
        start, chain = jax.random.split(key)
        return init(
            jax.random.normal(start, (density.size,)),
            n_warmup,
            dense_mass=True,
            target_accept_prob=_ACCEPTANCE if density.size <= _LOW_DIMENSION else _HIGH_ACCEPTANCE,
            max_tree_depth=_MAX_TREE_DEPTH,
            model_args=(geometry,),
            rng_key=chain,
        )

    @jax.jit
    def advance(state: Any, geometry: Geometry) -> Any:
        def once(now: Any, _: None) -> tuple[Any, Any]:
            after = step(now, model_args=(geometry,))
            return after, (after.z, {name: getattr(after, name) for name in _STATISTICS})

        after, (v, statistics) = jax.lax.scan(once, state, length=_BLOCK)
        return after, (v, statistics, after.adapt_state.step_size)

    return _Program(begin, advance)


@dataclass(frozen=True)
class _Block:
    """Draws v of one chain, shape (length, size), their statistics, and the last step size."""

    v: np.ndarray
    statistics: dict[str, np.ndarray]
    step_size: float

    @classmethod
    def of(cls, v: np.ndarray, statistics: dict[str, np.ndarray], step_size: Any) -> Self:
        """Return a block, with statistics renamed."""
        renamed = {name: statistics[own] for own, name in _STATISTICS.items()}
        return cls(v, renamed, float(step_size))


@dataclass(frozen=True)
class _Chains:
    """Parallel chains.

    Attributes
    ----------
    program : _Program
    plan : SamplingPlan
    """

    program: _Program
    plan: SamplingPlan

    def run(
        self, geometry: Geometry, progress: ProgressCallback
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return draws, shape (n_chains, n_warmup + n_samples, size), and their statistics."""
        n_blocks = self._n_blocks()
        keys = jax.random.split(jax.random.key(self.plan.seed), self.plan.n_chains)
        # Sequentially, before threads are started: NumPyro's set-up is not thread-safe.
        states = [self.program.begin(key, geometry) for key in keys]
        chains: list[list[_Block]] = [[] for _ in states]
        finished: queue.SimpleQueue[bool] = queue.SimpleQueue()
        stopped = threading.Event()

        def advance(state: Any, blocks: list[_Block]) -> None:
            try:
                for _ in range(n_blocks):
                    if stopped.is_set():
                        break
                    state, block = self.program.advance(state, geometry)
                    blocks.append(_Block.of(*jax.device_get(block)))
                    finished.put(True)
            except BaseException:
                # Ends the loop below, which then raises the error.
                finished.put(False)
                raise

        with ThreadPoolExecutor(min(len(states), os.cpu_count() or 1)) as threads:
            running = [
                threads.submit(advance, *chain) for chain in zip(states, chains, strict=True)
            ]
            try:
                for k in range(1, len(states) * n_blocks + 1):
                    if not finished.get():
                        break
                    progress(self._progress(chains, k))
            finally:
                stopped.set()
        for future in running:
            future.result()
        # The last block may contain more than was requested; other lengths are not compiled.
        n = self.plan.n_warmup + self.plan.n_samples
        v, statistics = _joined(chains)
        return v[:, :n], {name: values[:, :n] for name, values in statistics.items()}

    def _n_blocks(self) -> int:
        return -(-(self.plan.n_warmup + self.plan.n_samples) // _BLOCK)

    def _progress(self, chains: list[list["_Block"]], n_blocks: int) -> Progress:
        """Return the progress, with diagnostics of the blocks that every chain has."""
        share = n_blocks / (len(chains) * self._n_blocks())
        stage, stage_share = self._stage(chains)
        n_whole = min(len(blocks) for blocks in chains)
        if not n_whole:
            return Progress(share, None, stage, stage_share)
        whole = [blocks[:n_whole] for blocks in chains]
        v, statistics = _joined(whole)
        step_sizes = [blocks[-1].step_size for blocks in whole]
        kept = v[:, self.plan.n_warmup :]
        diagnostics = chain_diagnostics(kept, statistics, step_sizes)
        return Progress(share, diagnostics, stage, stage_share)

    def _stage(self, chains: list[list["_Block"]]) -> tuple[Stage, float]:
        """Return the stage of the chain that is ahead; chains may have to wait for a core."""
        n_warmup, n_samples = self.plan.n_warmup, self.plan.n_samples
        n_drawn = [_BLOCK * len(blocks) for blocks in chains]
        if max(n_drawn) < n_warmup:
            return "warmup", max(n_drawn) / n_warmup
        n_kept = sum(min(max(n - n_warmup, 0), n_samples) for n in n_drawn)
        return "sampling", n_kept / (n_samples * len(chains))


def _joined(chains: list[list[_Block]]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    v = np.stack([np.concatenate([block.v for block in blocks]) for blocks in chains])
    statistics = {
        name: np.stack(
            [np.concatenate([block.statistics[name] for block in blocks]) for blocks in chains]
        )
        for name in _STATISTICS.values()
    }
    return v, statistics
