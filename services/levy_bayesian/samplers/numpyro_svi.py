"""Stochastic variational inference by NumPyro with a full-rank normal guide.

The guide is defined in the coordinates of the target's transport map: map and normal together are a
flow whose nonlinear part does not have to be fitted by stochastic gradients.

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

from levy_bayesian.progress import Progress, ProgressCallback
from levy_bayesian.samplers.diagnostics import elbo_diagnostics, weight_diagnostics
from levy_bayesian.samplers.guide import RESAMPLED_GUIDE, weighted_draws
from levy_bayesian.samplers.sampler import Draws, Sampler, SamplingPlan, register
from levy_bayesian.samplers.target import N_PROGRAMS, Density, Geometry, Shapes, Target
from levy_numerics.inference.posterior import Posterior

_STEPS: Final = 400
_BLOCK: Final = 50
"""Steps after which the fit can be stopped."""
# Not vectorised: that compiles for minutes, and is not faster on few cores.
_ELBO: Final = Trace_ELBO(num_particles=16, vectorize_particles=False)
_INITIAL_RATE: Final = 2e-2
_FINAL_RATE: Final = 1e-4
_FIT_SHARE: Final = 0.8
"""Approximate fraction of the work; the rest is importance weighting."""


@register
class NumPyroSvi(Sampler):
    """Takes seconds; draws are importance-weighted, and `pareto_k` is the diagnostic."""

    name = "numpyro-svi"
    method = RESAMPLED_GUIDE
    packages = ("numpyro", "jax", "numpy")

    def sample(self, posterior: Posterior, plan: SamplingPlan, progress: ProgressCallback) -> Draws:
        target = Target.of(posterior)
        progress(Progress(0.0, stage="compiling"))
        program = _program(target.density, target.shapes)
        state = program.begin(jax.random.key(plan.seed))
        for done in range(_BLOCK, _STEPS + 1, _BLOCK):
            state, loss = program.advance(state, target.geometry)
            fitted = done / _STEPS
            bound = elbo_diagnostics(-float(loss))
            progress(Progress(_FIT_SHARE * fitted, bound, "fitting", fitted))
        centre, factor = program.normal(state)
        progress(Progress(_FIT_SHARE, stage="sampling"))
        draws = weighted_draws(target, centre, factor, plan)
        progress(Progress(1.0, weight_diagnostics(draws.pareto_k)))
        return draws


@dataclass(frozen=True)
class _Program:
    """Compiled functions that start and advance a fit, and return its normal."""

    begin: Callable[[Any], Any]
    advance: Callable[[Any, Geometry], tuple[Any, Any]]
    normal: Callable[[Any], tuple[np.ndarray, np.ndarray]]


@lru_cache(maxsize=N_PROGRAMS)
def _program(density: Density, _shapes: Shapes) -> _Program:
    """Return the program for all posteriors of a density."""
    anywhere = dist.ImproperUniform(dist.constraints.real_vector, (), (density.size,))

    def flat() -> Any:
        return numpyro.sample("v", anywhere)

    def model(geometry: Geometry) -> None:
        numpyro.factor("posterior", density(flat(), geometry))

    guide = AutoMultivariateNormal(
        flat, init_loc_fn=init_to_value(values={"v": jnp.zeros(density.size)}), init_scale=1.0
    )
    optimiser = numpyro.optim.Adam(_rate)
    svi = SVI(model, guide, optimiser, _ELBO)

    def begin(key: Any) -> Any:
        # The start does not depend on the density, which NumPyro would evaluate without compiling
        # it as a whole: that takes a minute and 1.6 GB for models with a stochastic clock.
        start = SVI(flat, guide, optimiser, _ELBO)
        state = start.init(key)
        svi.constrain_fn = start.constrain_fn
        return state

    @jax.jit
    def advance(state: Any, geometry: Geometry) -> tuple[Any, Any]:
        def once(now: Any, _: None) -> tuple[Any, Any]:
            after, loss = svi.stable_update(now, geometry)
            return after, loss

        after, losses = jax.lax.scan(once, state, length=_BLOCK)
        return after, losses.mean()

    def normal(state: Any) -> tuple[np.ndarray, np.ndarray]:
        fitted = guide.get_posterior(svi.get_params(state))
        return np.asarray(fitted.mean), np.asarray(fitted.scale_tril)

    return _Program(begin, advance, normal)


def _rate(step: Any) -> Any:
    """Return the learning rate; it decays geometrically, which averages out noise at the end."""
    return _INITIAL_RATE * (_FINAL_RATE / _INITIAL_RATE) ** (step / _STEPS)
