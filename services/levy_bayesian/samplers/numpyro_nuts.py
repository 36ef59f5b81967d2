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
from functools import partial
from typing import Any, Final

import jax
import numpy as np
from numpyro.infer.hmc import hmc

from levy_bayesian.samplers.sampler import Draws, Progress, Sampler, SamplingPlan, register
from levy_bayesian.samplers.target import Geometry, Target
from levy_numerics.calibration.posterior import Posterior

_BLOCKS: Final = 20
"""Each of warm-up and sampling is done in so many: between two a chain can be stopped."""
_ACCEPTANCE: Final = 0.9
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
    queue = "long"

    def sample(self, posterior: Posterior, plan: SamplingPlan, progress: Progress) -> Draws:
        target = Target.of(posterior)
        w, statistics = _Chains.of(target, plan).run(progress)
        return target.draws(w, statistics)


@dataclass(frozen=True)
class _Chains:
    """The compiled step, and where each chain begins."""

    advance: Callable[[Any, Geometry, int], Any]
    states: list[Any]
    geometry: Geometry
    plan: SamplingPlan

    @classmethod
    def of(cls, target: Target, plan: SamplingPlan) -> "_Chains":
        """Compile; chains begin where a standard normal says."""
        init, step = hmc(
            potential_fn_gen=lambda geometry: lambda w: -target.log_density(w, geometry),
            algo="NUTS",
        )

        @jax.jit
        def begin(key: Any, geometry: Geometry) -> Any:
            start, chain = jax.random.split(key)
            return init(
                jax.random.normal(start, (target.size,)),
                plan.n_warmup,
                dense_mass=True,
                target_accept_prob=_ACCEPTANCE,
                max_tree_depth=_DEEPEST_TREE,
                model_args=(geometry,),
                rng_key=chain,
            )

        @partial(jax.jit, static_argnums=2)
        def advance(state: Any, geometry: Geometry, n: int) -> Any:
            def once(now: Any, _: None) -> tuple[Any, Any]:
                after = step(now, model_args=(geometry,))
                return after, (after.z, {name: getattr(after, name) for name in _STATISTICS})

            return jax.lax.scan(once, state, length=n)

        keys = jax.random.split(jax.random.key(plan.seed), plan.n_chains)
        states = [begin(key, target.geometry) for key in keys]
        return cls(advance, states, target.geometry, plan)

    def run(self, progress: Progress) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Draws after warm-up, shape (n_chains, n_samples, size), and their statistics."""
        lengths = _blocks(self.plan.n_warmup) + _blocks(self.plan.n_samples)
        total = len(lengths) * len(self.states)
        told: queue.SimpleQueue[None] = queue.SimpleQueue()
        stopped = threading.Event()

        def chain(state: Any) -> list[Any]:
            found = []
            try:
                for n in lengths:
                    if stopped.is_set():
                        break
                    state, block = self.advance(state, self.geometry, n)
                    found.append(jax.device_get(block))
                    told.put(None)
            except BaseException:
                # Whoever waits is to see the failure, and not to wait for more.
                for _ in range(total):
                    told.put(None)
                raise
            return found

        with ThreadPoolExecutor(min(len(self.states), os.cpu_count() or 1)) as threads:
            running = [threads.submit(chain, state) for state in self.states]
            try:
                for done in range(total):
                    told.get()
                    progress((done + 1) / total)
            finally:
                stopped.set()
        kept = [one.result()[len(_blocks(self.plan.n_warmup)) :] for one in running]
        w = np.stack([np.concatenate([z for z, _ in blocks]) for blocks in kept])
        statistics = {
            name: np.stack([np.concatenate([s[own] for _, s in blocks]) for blocks in kept])
            for own, name in _STATISTICS.items()
        }
        return w, statistics


def _blocks(n: int) -> list[int]:
    """Lengths that sum to n; few of them differ, since each length is compiled."""
    usual = max(1, n // _BLOCKS)
    whole, rest = divmod(n, usual)
    return [usual] * whole + [rest] * (rest > 0)
