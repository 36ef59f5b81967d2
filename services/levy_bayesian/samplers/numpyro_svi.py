"""Stochastic variational inference by NumPyro: a normal, fitted to a posterior by its gradient.

The guide is of full rank, and lives where the target's map has already straightened the posterior:
map and normal together are a flow guide, whose bends need not be found by stochastic gradients.

References
----------
Kucukelbir, Tran, Ranganath, Gelman and Blei (2017), Automatic differentiation variational
inference, JMLR 18(14), 1-45. Yao, Vehtari, Simpson and Gelman (2018), Yes, but did it work?
Evaluating variational inference, ICML, for Pareto k.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import SVI, Trace_ELBO, init_to_value
from numpyro.infer.autoguide import AutoMultivariateNormal

from levy_bayesian.progress import Progress, Standing
from levy_bayesian.samplers.diagnostics import of_bound, of_weights
from levy_bayesian.samplers.guide import RESAMPLED_GUIDE, weighted_draws
from levy_bayesian.samplers.sampler import Draws, Sampler, SamplingPlan, register
from levy_bayesian.samplers.target import Density, Geometry, Target
from levy_numerics.inference.posterior import Posterior

_STEPS: Final = 400
_BLOCK: Final = 50
"""Steps between two of which the work can be ended."""
# One after another: side by side they compile for minutes, and are no faster on few cores.
_ELBO: Final = Trace_ELBO(num_particles=16, vectorize_particles=False)
_FIRST_RATE: Final = 2e-2
_LAST_RATE: Final = 1e-4
_FITTED: Final = 0.8
"""Of the work, about; the rest is weighing."""


@register
class NumPyroSvi(Sampler):
    """A second or two; `pareto_k` says how near the normal came, and its draws are weighted."""

    name = "numpyro-svi"
    method = RESAMPLED_GUIDE
    packages = ("numpyro", "jax", "numpy")

    def sample(self, posterior: Posterior, plan: SamplingPlan, progress: Progress) -> Draws:
        target = Target.of(posterior)
        program = _program(target.density)
        state = program.begin(jax.random.key(plan.seed), target.geometry)
        progress(Standing(0.0))
        for done in range(_BLOCK, _STEPS + 1, _BLOCK):
            state, loss = program.advance(state, target.geometry)
            progress(Standing(_FITTED * done / _STEPS, of_bound(-float(loss))))
        centre, factor = program.normal(state)
        draws = weighted_draws(target, centre, factor, plan)
        progress(Standing(1.0, of_weights(draws.pareto_k)))
        return draws


@dataclass(frozen=True)
class _Program:
    """Compiled steps: how a fit begins, goes on with what loss, and what normal it has come to."""

    begin: Callable[[Any, Geometry], Any]
    advance: Callable[[Any, Geometry], tuple[Any, Any]]
    normal: Callable[[Any], tuple[np.ndarray, np.ndarray]]


@lru_cache(maxsize=8)
def _program(density: Density) -> _Program:
    """For all posteriors that differ in their data alone."""
    anywhere = dist.ImproperUniform(dist.constraints.real_vector, (), (density.size,))

    def model(geometry: Geometry) -> None:
        v = numpyro.sample("v", anywhere)
        numpyro.factor("posterior", density(v, geometry))

    guide = AutoMultivariateNormal(
        model, init_loc_fn=init_to_value(values={"v": jnp.zeros(density.size)}), init_scale=1.0
    )
    svi = SVI(model, guide, numpyro.optim.Adam(_rate), _ELBO)

    @jax.jit
    def advance(state: Any, geometry: Geometry) -> tuple[Any, Any]:
        def once(now: Any, _: None) -> tuple[Any, Any]:
            after, loss = svi.stable_update(now, geometry)
            return after, loss

        after, losses = jax.lax.scan(once, state, length=_BLOCK)
        return after, losses.mean()

    def normal(state: Any) -> tuple[np.ndarray, np.ndarray]:
        found = guide.get_posterior(svi.get_params(state))
        return np.asarray(found.mean), np.asarray(found.scale_tril)

    return _Program(svi.init, advance, normal)


def _rate(step: Any) -> Any:
    """Of learning: geometric decay, so that the last steps average noise away."""
    return _FIRST_RATE * (_LAST_RATE / _FIRST_RATE) ** (step / _STEPS)
