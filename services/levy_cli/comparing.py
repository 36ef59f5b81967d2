"""Every model on one surface: what `levy compare` does before it speaks."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Final

from levy_calibration.handlers.compare import Outcome, comparison, outcome_of
from levy_cli.cleaned import CleanedQuotes
from levy_numerics import models
from levy_numerics.calibration import Comparison
from levy_numerics.models.base import Model
from levy_schemas.comparison import ComparisonResult
from levy_schemas.surface import Weights
from levy_service.version import engine_version

_ALL: Final = "all"
_WORTH_A_PROCESS: Final = 4
"""Models fitted in the time that another process takes to start."""


@dataclass(frozen=True)
class ComparedModels:
    """A cleaned surface, the models fitted to it, and the answer as it would go over the wire.

    Attributes
    ----------
    quotes : CleanedQuotes
    fitted : mapping of str to Model
        By name, best first.
    answer : ComparisonResult
    """

    quotes: CleanedQuotes
    fitted: Mapping[str, Model]
    answer: ComparisonResult

    def as_document(self) -> dict[str, Any]:
        """As `/compare` answers, with what cleaning did."""
        return {
            **self.answer.model_dump(mode="json", exclude={"request_id"}),
            **self.quotes.as_document(),
        }


def models_named(names: str) -> list[type[Model]]:
    """Models of a list such as `NIG,CGMY`, or of `all`.

    Raises
    ------
    UnknownModelError
        There is no such model.
    """
    wanted = models.names() if names == _ALL else [name.strip() for name in names.split(",")]
    return [models.get(name) for name in dict.fromkeys(wanted)]


def compare_models(
    quotes: CleanedQuotes,
    wanted: Sequence[type[Model]],
    *,
    weights: Weights = "vega",
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> ComparedModels:
    """Fit every model to the quotes, several at once, and rank them.

    Parameters
    ----------
    quotes : CleanedQuotes
    wanted : sequence of model types
    weights : {"price", "vega", "bid_ask"}
    workers : int, optional
        Processes; one a core if absent, and none besides this one for a few models.
    progress : callable, optional
        Told (models done, models in all).
    """
    started = time.perf_counter()
    outcomes: list[Outcome] = []
    n_workers = _workers(len(wanted)) if workers is None else workers
    with _fits(quotes, wanted, weights, n_workers) as fits:
        progress(0, len(wanted))
        for outcome in fits:
            outcomes.append(outcome)
            progress(len(outcomes), len(wanted))
    answer = comparison(
        outcomes,
        quotes.surface.quotes,
        weights=weights,
        quote_warnings=quotes.surface.warnings,
        model_version=engine_version(),
        seconds=time.perf_counter() - started,
    )
    found = {name: one.result.model for name, one, _ in outcomes if isinstance(one, Comparison)}
    fitted = {one.model_type: found[one.model_type] for one in answer.results}
    return ComparedModels(quotes, fitted, answer)


def _workers(n_models: int) -> int:
    return max(1, min(os.cpu_count() or 1, n_models // _WORTH_A_PROCESS))


@contextmanager
def _fits(
    quotes: CleanedQuotes, wanted: Sequence[type[Model]], weights: Weights, n_workers: int
) -> Iterator[Iterator[Outcome]]:
    """Fit each model, here or in processes of their own; in whatever order they are done."""
    surface = quotes.surface.quotes
    if n_workers == 1:
        yield (outcome_of(model, surface, weights=weights) for model in wanted)
        return
    # A process that is spawned inherits no threads; the models with most parameters take longest.
    longest_first = sorted(wanted, key=lambda model: -len(model.parameters()))
    with ProcessPoolExecutor(n_workers, mp_context=get_context("spawn")) as pool:
        futures = [
            pool.submit(outcome_of, model, surface, weights=weights) for model in longest_first
        ]
        yield (future.result() for future in as_completed(futures))
