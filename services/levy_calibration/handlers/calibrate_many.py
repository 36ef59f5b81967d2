"""Calibration of several surfaces of one request."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from levy_calibration.handlers.calibrate import (
    CalibrationTask,
    Choose,
    Observe,
    Record,
    calibrate,
    ignore,
    no_networks,
    not_recorded,
)
from levy_numerics.calibration.batch import pricers_with_shared_tables
from levy_numerics.calibration.hybrid import Proposal, Proposer
from levy_numerics.errors import LevyError
from levy_numerics.market import Quotes
from levy_schemas.calibration import CalibrationRequest, CalibrationResult

Checkpoint = Callable[[], None]
Work = Callable[[Checkpoint], CalibrationResult]


def calibrate_many(
    requests: Sequence[CalibrationRequest],
    *,
    engine_version: str,
    choose: Choose = no_networks,
    observe: Observe = ignore,
    record: Record = not_recorded,
    n_starts: int | None = None,
    checkpoint: Checkpoint = lambda: None,
) -> list[Work]:
    """Prepare several calibrations together and return the fit of each, to run in any thread.

    Quotes are cleaned, and networks propose initial guesses for all surfaces in one pass. Each fit
    is that of a single request; surfaces of one listing share tables of phase factors. American
    quotes are cleaned in the work of their own fit, which changes them.

    Parameters
    ----------
    requests : sequence of CalibrationRequest
    engine_version, choose, observe, record, n_starts
        As in `calibrate`; networks are chosen for each surface on its own.
    checkpoint : callable, optional
        Called before each surface is prepared.

    Returns
    -------
    list of callable
        In the order of the requests. Each takes a checkpoint, and raises what `calibrate` raises.
    """
    started = time.perf_counter()
    tasks: list[CalibrationTask | LevyError] = []
    for request in requests:
        if request.has_american:
            continue
        checkpoint()
        try:
            tasks.append(CalibrationTask.of(request, choose, n_starts, checkpoint))
        except LevyError as error:
            tasks.append(error)
    prepared = _with_proposals(tasks)
    seconds = (time.perf_counter() - started) / max(len(requests), 1)
    run = partial(
        CalibrationTask.run,
        engine_version=engine_version,
        observe=observe,
        record=record,
        preparation_seconds=seconds,
    )
    alone = partial(
        calibrate,
        engine_version=engine_version,
        choose=choose,
        observe=observe,
        record=record,
        n_starts=n_starts,
    )
    works = iter(
        partial(_raise, task) if isinstance(task, LevyError) else partial(_run_with, run, task)
        for task in prepared
    )
    return [
        partial(_fit_alone, alone, request) if request.has_american else next(works)
        for request in requests
    ]


def _fit_alone(
    fit: Callable[..., CalibrationResult], request: CalibrationRequest, checkpoint: Checkpoint
) -> CalibrationResult:
    return fit(request, checkpoint=checkpoint)


def _run_with(
    run: Callable[..., CalibrationResult], task: CalibrationTask, checkpoint: Checkpoint
) -> CalibrationResult:
    return run(task, checkpoint=checkpoint)


def _raise(error: LevyError, _checkpoint: Checkpoint) -> CalibrationResult:
    raise error


def _with_proposals(
    tasks: Sequence[CalibrationTask | LevyError],
) -> list[CalibrationTask | LevyError]:
    """Evaluate each network once for all surfaces of equal size that try it first.

    Where it abstains from one of them, each surface tries networks by itself, as single requests
    do.
    """
    groups: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    for k, task in enumerate(tasks):
        if isinstance(task, CalibrationTask) and task.proposers and not task.strategy.per_maturity:
            first = task.proposers[0]
            # Equal sizes: padding to the largest surface would cost more than it saves.
            groups[first.model_type, first.version, task.quotes.size].append(k)
    prepared = list(tasks)
    for members in groups.values():
        group = [task for k in members if isinstance(task := tasks[k], CalibrationTask)]
        if len(group) > 1:
            for k, task in zip(members, _propose_together(group), strict=True):
                prepared[k] = task
    return prepared


def _propose_together(group: Sequence[CalibrationTask]) -> Sequence[CalibrationTask]:
    surfaces = [task.quotes for task in group]
    try:
        proposals = group[0].proposers[0].propose_many(surfaces)
    except LevyError:
        return group
    guesses = [proposal.model.as_mapping() for proposal in proposals]
    starts = group[0].model(**{name: np.array([g[name] for g in guesses]) for name in guesses[0]})
    pricers = pricers_with_shared_tables(surfaces, starts)
    return [
        replace(
            task,
            proposers=(ProposedBefore(task.proposers[0], proposal), *task.proposers[1:]),
            pricer=pricer,
        )
        for task, proposal, pricer in zip(group, proposals, pricers, strict=True)
    ]


@dataclass(frozen=True)
class ProposedBefore:
    """A `Proposer` of one surface, whose proposal was computed with those of other surfaces."""

    proposer: Proposer
    proposal: Proposal

    @property
    def model_type(self) -> str:
        """Name of the model whose parameters it proposes."""
        return self.proposer.model_type

    @property
    def network(self) -> str:
        """Return the architecture's name."""
        return self.proposer.network

    @property
    def version(self) -> str:
        """Return the version of the artifact."""
        return self.proposer.version

    def propose(self, _quotes: Quotes) -> Proposal:
        """Return the proposal."""
        return self.proposal

    def propose_many(self, surfaces: Sequence[Quotes]) -> list[Proposal]:
        """Return the proposal for each of the surfaces, which must all be that one."""
        return [self.proposal for _ in surfaces]
