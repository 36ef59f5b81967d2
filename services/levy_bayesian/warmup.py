"""Prepare a worker process: configure JAX, compile samplers, follow the parent's exit."""

import ctypes
import os
import signal
import sys
from functools import cache
from pathlib import Path
from typing import Final

import structlog

from levy_bayesian.handlers.run import SamplingOutput
from levy_bayesian.progress import ProgressCallback
from levy_bayesian.settings import BayesianSettings
from levy_schemas.jobs import BayesianRequest

_PR_SET_PDEATHSIG: Final = 1
_N_STRIKES: Final = 20
_MATURITIES: Final = tuple(0.25 * i for i in range(1, 11))
_SMALL_COMPILATION_SECONDS: Final = 0.2
"""Compilations that take less are not cached."""

_log = structlog.get_logger()


class Sampling:
    """Sample the posterior of a request, after configuring JAX.

    Parameters
    ----------
    settings : BayesianSettings
    """

    def __init__(self, settings: BayesianSettings) -> None:
        self._folder = settings.compiled or _cache_folder()
        self._models = settings.warm

    def __call__(self, request: BayesianRequest, progress: ProgressCallback) -> SamplingOutput:
        _prepare_jax(self._folder)
        # Imported where it is used: it takes seconds, and JAX does not survive a fork.
        from levy_bayesian.handlers.sample import sample

        return sample(request, progress)

    def warm(self) -> None:
        """Compile the samplers of the models in the settings."""
        for model_type in self._models:
            try:
                self(_typical_request(model_type), lambda _: None)
            except Exception:  # noqa: BLE001 - logged; other models are not affected
                _log.exception("worker.warm_up_failed", model=model_type)


@cache
def _prepare_jax(folder: Path) -> None:
    import jax

    set_option = jax.config.update
    set_option("jax_enable_x64", True)  # type: ignore[no-untyped-call] # JAX's own
    set_option("jax_compilation_cache_dir", str(folder))  # type: ignore[no-untyped-call]
    set_option(  # type: ignore[no-untyped-call]
        "jax_persistent_cache_min_compile_time_secs", _SMALL_COMPILATION_SECONDS
    )


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "levy" / "jax"


def _typical_request(model_type: str) -> BayesianRequest:
    """Return a request of typical size: 200 quotes, and the default number of draws."""
    import numpy as np

    from levy_numerics import models, pricing
    from levy_numerics.market import Contracts

    strikes = np.linspace(80.0, 120.0, _N_STRIKES)
    contracts = Contracts.grid(
        spot=100.0, rate=0.03, dividend_yield=0.0, strikes=strikes, maturities=_MATURITIES
    )
    prices = pricing.price(models.get(model_type).example(), contracts).value
    return BayesianRequest(
        model_type=model_type,
        spot_price=100.0,
        risk_free_rate=0.03,
        strikes=tuple(strikes.tolist()),
        maturities=_MATURITIES,
        prices=tuple(tuple(row) for row in prices.reshape(-1, _N_STRIKES).tolist()),
    )


def exit_with_parent() -> None:
    """Have the kernel end this process if its worker is killed (Linux only).

    Otherwise the sampler would run for minutes, beside that of the worker that takes over the job.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
