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
from functools import lru_cache, partial
from typing import Any, Final, Self

import jax
import numpy as np
from numpyro.infer.hmc import hmc

from levy_bayesian.progress import Progress, Standing
from levy_bayesian.samplers.diagnostics import of_chains
from levy_bayesian.samplers.sampler import Draws, Sampler, SamplingPlan, register
from levy_bayesian.samplers.target import Density, Geometry, Target
from levy_numerics.inference.posterior import Posterior

_BLOCK: Final = 100
"""Draws between two of which a chain can be stopped, and progress is told."""
_ACCEPTANCE: Final = 0.9
_CAREFUL: Final = 0.97
"""Of steeper ridges: Merton's chains meet theirs with 0.93, where tails of 20,000 draws are worth
3,000 and some diverge; with this 8,000, and none, for two fifths more steps."""
_FEW_ENTRIES: Final = 4
"""Three parameters and the noise: without a divergence, and more steps are not free."""
_DEEPEST_TREE: Final = 8
_STATISTICS: Final = {
    "diverging": "diverging",
    "accept_prob": "acceptance_rate",
    "num_steps": "n_steps",
    "potential_energy": "energy",
}
"""NumPyro's names, and ArviZ's."""


@register
class NumPyroNuts(Sampler):
    """Chains side by side, a thread each: compiled code runs without the interpreter."""

    name = "numpyro-nuts"
    method = "Markov chain Monte Carlo: chains of the No-U-Turn sampler"
    packages = ("numpyro", "jax", "numpy")

    def sample(self, posterior: Posterior, plan: SamplingPlan, progress: Progress) -> Draws:
        target = Target.of(posterior)
        v, statistics = _Chains(_program(target.density, plan.n_warmup), plan).run(
            target.geometry, progress
        )
        kept = {name: one[:, plan.n_warmup :] for name, one in statistics.items()}
        return target.draws(v[:, plan.n_warmup :], kept)


@dataclass(frozen=True)
class _Program:
    """Compiled steps: how a chain begins, and how it goes on."""

    begin: Callable[[Any, Geometry], Any]
    advance: Callable[[Any, Geometry, int], Any]


@lru_cache(maxsize=8)
def _program(density: Density, n_warmup: int) -> _Program:
    """For all posteriors that differ in their data alone; steps before `n_warmup` adapt."""
    init, step = hmc(potential_fn_gen=lambda geometry: lambda v: -density(v, geometry), algo="NUTS")

    @jax.jit
    def begin(key: Any, geometry: Geometry) -> Any:
        start, chain = jax.random.split(key)
        return init(
            jax.random.normal(start, (density.size,)),
            n_warmup,
            dense_mass=True,
            target_accept_prob=_ACCEPTANCE if density.size <= _FEW_ENTRIES else _CAREFUL,
            max_tree_depth=_DEEPEST_TREE,
            model_args=(geometry,),
            rng_key=chain,
        )

    @partial(jax.jit, static_argnums=2)
    def advance(state: Any, geometry: Geometry, n: int) -> Any:
        def once(now: Any, _: None) -> tuple[Any, Any]:
            after = step(now, model_args=(geometry,))
            return after, (after.z, {name: getattr(after, name) for name in _STATISTICS})

        after, (v, statistics) = jax.lax.scan(once, state, length=n)
        return after, (v, statistics, after.adapt_state.step_size)

    return _Program(begin, advance)


@dataclass(frozen=True)
class _Block:
    """Draws of one chain: v, shape (length, size), their statistics, the step size at their end."""

    v: np.ndarray
    statistics: dict[str, np.ndarray]
    step_size: float

    @classmethod
    def of(cls, v: np.ndarray, statistics: dict[str, np.ndarray], step_size: Any) -> Self:
        """From what NumPyro calls by its own names."""
        named = {name: statistics[own] for own, name in _STATISTICS.items()}
        return cls(v, named, float(step_size))


@dataclass(frozen=True)
class _Chains:
    """Chains side by side.

    Attributes
    ----------
    program : _Program
    plan : SamplingPlan
    """

    program: _Program
    plan: SamplingPlan

    def run(
        self, geometry: Geometry, progress: Progress
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """All draws, shape (n_chains, n_warmup + n_samples, size), and their statistics."""
        n = self.plan.n_warmup + self.plan.n_samples
        keys = jax.random.split(jax.random.key(self.plan.seed), self.plan.n_chains)
        # One by one, before there are threads: NumPyro's set-up is not made for them.
        states = [self.program.begin(key, geometry) for key in keys]
        chains: list[list[_Block]] = [[] for _ in states]
        told: queue.SimpleQueue[bool] = queue.SimpleQueue()
        stopped = threading.Event()

        def advance(state: Any, blocks: list[_Block]) -> None:
            try:
                for length in _blocks(n):
                    if stopped.is_set():
                        break
                    state, block = self.program.advance(state, geometry, length)
                    blocks.append(_Block.of(*jax.device_get(block)))
                    told.put(True)
            except BaseException:
                # Whoever waits is to see the failure, and not to wait for more.
                told.put(False)
                raise

        with ThreadPoolExecutor(min(len(states), os.cpu_count() or 1)) as threads:
            running = [threads.submit(advance, *each) for each in zip(states, chains, strict=True)]
            try:
                for k in range(1, len(states) * len(_blocks(n)) + 1):
                    if not told.get():
                        break
                    progress(self._standing(chains, k))
            finally:
                stopped.set()
        for each in running:
            each.result()
        return _joined(chains)

    def _standing(self, chains: list[list["_Block"]], n_blocks: int) -> Standing:
        """How far all are, and what is told by the blocks that every chain has."""
        lengths = _blocks(self.plan.n_warmup + self.plan.n_samples)
        share = n_blocks / (len(chains) * len(lengths))
        n_whole = min(len(blocks) for blocks in chains)
        if not n_whole:
            return Standing(share)
        whole = [blocks[:n_whole] for blocks in chains]
        v, statistics = _joined(whole)
        step_sizes = [blocks[-1].step_size for blocks in whole]
        kept = v[:, self.plan.n_warmup :]
        return Standing(share, of_chains(kept, statistics, step_sizes))


def _blocks(n: int) -> list[int]:
    """Lengths that sum to n; few of them differ, since each length is compiled."""
    whole, rest = divmod(n, _BLOCK)
    return [_BLOCK] * whole + [rest] * (rest > 0)


def _joined(chains: list[list[_Block]]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    v = np.stack([np.concatenate([block.v for block in blocks]) for blocks in chains])
    statistics = {
        name: np.stack(
            [np.concatenate([block.statistics[name] for block in each]) for each in chains]
        )
        for name in _STATISTICS.values()
    }
    return v, statistics
