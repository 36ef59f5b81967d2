"""Submission of Bayesian jobs; invalid requests are rejected before they enter the queue."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from levy_gateway.clients import Neighbour, NeighbourFailedError
from levy_gateway.job_store import JobStore
from levy_gateway.task_queue import TaskQueue
from levy_schemas.catalogue import Catalogue
from levy_schemas.jobs import QUEUE_OF, BayesianRequest
from levy_service import request_id

_FRESH_SECONDS: Final = 60.0
"""Lifetime of a catalogue; models change with a release, which restarts the services."""


class UnknownModelError(Exception):
    """The model does not exist."""

    code = "unknown-model"

    def __init__(self, model_type: str, known: tuple[str, ...]) -> None:
        self.message = f"Unknown model {model_type!r}. Available models: {', '.join(known)}."
        self.details: dict[str, object] = {}
        super().__init__(self.message)


class PriorError(Exception):
    """A prior names a parameter that the model does not have."""

    code = "invalid-input"

    def __init__(self, model_type: str, name: str, known: tuple[str, ...]) -> None:
        self.message = (
            f"{model_type} has no parameter {name!r}. Its parameters: {', '.join(known)}."
        )
        self.details: dict[str, object] = {"pointer": f"/priors/{name}"}
        super().__init__(self.message)


class KnownModels:
    """Models and their parameters, from the pricing service's catalogue.

    Parameters
    ----------
    pricing : Neighbour
        The pricing service.
    seconds : float
        Time limit of a request to it.
    clock : callable
        A monotonic clock, in seconds.
    """

    def __init__(
        self, pricing: Neighbour, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pricing = pricing
        self._seconds = seconds
        self._clock = clock
        self._asked_at = -float("inf")
        self._parameters: dict[str, tuple[str, ...]] = {}

    async def parameters(self) -> dict[str, tuple[str, ...]]:
        """Return the names of each model's parameters.

        Raises
        ------
        NeighbourUnavailableError, NeighbourFailedError, DeadlineError
            The catalogue is unavailable.
        """
        if self._clock() - self._asked_at > _FRESH_SECONDS:
            reply = await self._pricing.ask("GET", "/models", seconds=self._seconds)
            try:
                known = Catalogue.model_validate_json(reply.body)
            except ValidationError as error:
                raise NeighbourFailedError(self._pricing.name) from error
            self._parameters = {
                entry.name: tuple(parameter.name for parameter in entry.parameters)
                for entry in known.catalogue
            }
            self._asked_at = self._clock()
        return self._parameters


@dataclass(frozen=True)
class Submit:
    """Validate a request and create its job.

    Attributes
    ----------
    jobs : JobStore
    tasks : TaskQueue
    known : KnownModels
    """

    jobs: JobStore
    tasks: TaskQueue
    known: KnownModels

    async def __call__(
        self, asked: BayesianRequest, *, owner: str, idempotency_key: str | None
    ) -> str:
        """Create a job, or find the one that the idempotency key created; return its id.

        The record comes first: a job whose task is not sent, for whatever reason, is queued, and
        the periodic step sends it later.

        Raises
        ------
        UnknownModelError, PriorError
            The model, or a parameter with a prior, does not exist.
        QueueFullError, IdempotencyConflictError, NeighbourUnavailableError
            No job was created.
        """
        await self._require_known(asked)
        job_id, created = await self.jobs.create(
            asked, owner=owner, request_id=request_id.current(), key=idempotency_key
        )
        if created:
            await self.tasks.send(job_id, QUEUE_OF[asked.engine])
        return job_id

    async def _require_known(self, asked: BayesianRequest) -> None:
        models = await self.known.parameters()
        if asked.model_type not in models:
            raise UnknownModelError(asked.model_type, tuple(models))
        parameters = models[asked.model_type]
        for name in asked.priors:
            if name not in parameters:
                raise PriorError(asked.model_type, name, parameters)
