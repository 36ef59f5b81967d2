"""Compare models on one surface, in several processes."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any, Final

from levy_calibration.handlers.compare import Outcome, comparison, outcome_of
from levy_cli.cleaned import CleanedQuotes
from levy_numerics import models
from levy_numerics.calibration import Comparison
from levy_numerics.calibration.least_squares import MANY_QUOTES
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_schemas.comparison import ComparisonResult
from levy_schemas.surface import Weights
from levy_service import engine_version
from levy_surfaces.interrupts import interrupts_blocked, on_interrupt

_ALL: Final = "all"
_N_STARTS: Final = 8
"""Starts of each fit: a ranking must not depend on a local minimum."""
_MODELS_PER_PROCESS: Final = 4
"""Models fitted in the time that another process takes to start."""


@dataclass(frozen=True)
class ComparedModels:
    """A cleaned surface, the models fitted to it, and the result as HTTP would return it.

    Attributes
    ----------
    quotes : CleanedQuotes
    fitted : mapping of str to Model
        By name, best first.
    result : ComparisonResult
    """

    quotes: CleanedQuotes
    fitted: Mapping[str, Model]
    result: ComparisonResult

    def as_document(self) -> dict[str, Any]:
        """Return the result of `/compare` with the report of cleaning."""
        return {
            **self.result.model_dump(mode="json", exclude={"request_id"}),
            **self.quotes.as_document(),
        }


def models_named(names: str) -> list[type[Model]]:
    """Return the models of a list such as `NIG,CGMY`, or of `all`.

    Raises
    ------
    UnknownModelError
        A model does not exist.
    """
    selected = models.names() if names == _ALL else [name.strip() for name in names.split(",")]
    return list(dict.fromkeys(models.get(name) for name in selected))


def compare_models(
    quotes: CleanedQuotes,
    selected: Sequence[type[Model]],
    *,
    weights: Weights | None = None,
    n_starts: int | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> ComparedModels:
    """Fit the models to the quotes, in several processes, and rank them.

    Parameters
    ----------
    quotes : CleanedQuotes
    selected : sequence of model types
    weights : {"price", "vega", "bid_ask"}, optional
        As in `calibrate`.
    n_starts : int, optional
        Starts of each fit, of which the best is kept: by default 8, or for `MANY_QUOTES` and
        more until starts agree.
    workers : int, optional
        Number of processes; chosen by the numbers of cores and models if absent.
    progress : callable, optional
        Called with the numbers of models done and of all models.
    """
    started = time.perf_counter()
    outcomes: list[Outcome] = []
    n_workers = _workers(len(selected)) if workers is None else workers
    # With more quotes, the fits compare starts on a part of them, and choose the number themselves.
    if n_starts is None and quotes.surface.size < MANY_QUOTES:
        n_starts = _N_STARTS
    fit = partial(outcome_of, weights=weights, n_starts=n_starts)
    with _fits(fit, quotes, selected, n_workers) as fits:
        progress(0, len(selected))
        for outcome in fits:
            outcomes.append(outcome)
            progress(len(outcomes), len(selected))
    result = comparison(
        outcomes,
        quotes.surface.quotes,
        quote_warnings=quotes.surface.warnings,
        model_version=engine_version(),
        seconds=time.perf_counter() - started,
    )
    fitted = {name: fit.result.model for name, fit, _ in outcomes if isinstance(fit, Comparison)}
    ranked = {fit.model_type: fitted[fit.model_type] for fit in result.results}
    return ComparedModels(quotes, ranked, result)


def _workers(n_models: int) -> int:
    return max(1, min(os.cpu_count() or 1, n_models // _MODELS_PER_PROCESS))


@contextmanager
def _fits(
    fit: Callable[[type[Model], Quotes], Outcome],
    quotes: CleanedQuotes,
    selected: Sequence[type[Model]],
    n_workers: int,
) -> Iterator[Iterator[Outcome]]:
    """Yield an iterator of fits, in this process or in others, in the order of completion."""
    surface = quotes.surface.quotes
    if n_workers == 1:
        yield (fit(model, surface) for model in selected)
        return
    # Spawned, since forked processes inherit locks of threads. Models with the most parameters
    # take longest.
    longest_first = sorted(selected, key=lambda model: -len(model.parameters()))
    # Fits take seconds: at Ctrl-C the workers end at once.
    pool = ProcessPoolExecutor(
        n_workers,
        mp_context=get_context("spawn"),
        initializer=on_interrupt,
        initargs=(signal.SIG_DFL,),
    )
    try:
        with interrupts_blocked():
            futures = [pool.submit(fit, model, surface) for model in longest_first]
        yield (future.result() for future in as_completed(futures))
    finally:
        pool.shutdown(cancel_futures=True)
