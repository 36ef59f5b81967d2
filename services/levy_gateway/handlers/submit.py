"""Submission of Bayesian jobs; invalid requests are rejected before they enter the queue."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from levy_gateway.clients import Upstream, UpstreamError
from levy_gateway.job_store import JobStore
from levy_gateway.task_queue import TaskQueue
from levy_schemas.catalogue import Catalogue, CatalogueEntry
from levy_schemas.jobs import QUEUE_OF, BayesianRequest
from levy_service import request_id
from levy_service.problems import ProblemError

_FRESH_SECONDS: Final = 60.0
"""Lifetime of a catalogue; models change with a release, which restarts the services."""


class UnknownModelError(ProblemError):
    """The model does not exist."""

    code = "unknown-model"


class PriorError(ProblemError):
    """A prior refers to a parameter that the model does not have."""

    code = "invalid-input"


class ModelCatalogue:
    """Models and their parameters, from the pricing service's catalogue.

    Parameters
    ----------
    pricing : Upstream
        The pricing service.
    seconds : float
        Time limit of a request to it.
    clock : callable
        A monotonic clock, in seconds.
    """

    def __init__(
        self, pricing: Upstream, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pricing = pricing
        self._seconds = seconds
        self._clock = clock
        self._fetched_at = -float("inf")
        self._catalogue = Catalogue(catalogue=())

    async def fetch(self) -> Catalogue:
        """Return the catalogue.

        Raises
        ------
        UpstreamError, DeadlineError
            The catalogue is unavailable.
        """
        if self._clock() - self._fetched_at > _FRESH_SECONDS:
            reply = await self._pricing.request("GET", "/models", seconds=self._seconds)
            try:
                self._catalogue = Catalogue.model_validate_json(reply.body)
            except ValidationError as error:
                raise UpstreamError(self._pricing.name) from error
            self._fetched_at = self._clock()
        return self._catalogue


@dataclass(frozen=True)
class Submit:
    """Validate a request and create its job.

    Attributes
    ----------
    jobs : JobStore
    tasks : TaskQueue
    catalogue : ModelCatalogue
    """

    jobs: JobStore
    tasks: TaskQueue
    catalogue: ModelCatalogue

    async def __call__(
        self, request: BayesianRequest, *, owner: str, idempotency_key: str | None
    ) -> str:
        """Create a job, or find the one that the idempotency key created; return its id.

        The job has the model's name, also where the request has an alias.

        The record comes first: a job whose task is not sent, for whatever reason, is queued, and
        the periodic step sends it later.

        Raises
        ------
        UnknownModelError, PriorError
            The model, or a parameter with a prior, does not exist.
        QueueFullError, IdempotencyConflictError, UpstreamUnavailableError
            No job was created.
        """
        model = await self._model(request)
        request = request.model_copy(update={"model_type": model.name})
        job_id, created = await self.jobs.create(
            request, owner=owner, request_id=request_id.current(), key=idempotency_key
        )
        if created:
            await self.tasks.send(job_id, QUEUE_OF[request.engine])
        return job_id

    async def _model(self, request: BayesianRequest) -> CatalogueEntry:
        catalogue = await self.catalogue.fetch()
        model = catalogue.find(request.model_type)
        if model is None:
            names = ", ".join(entry.name for entry in catalogue.catalogue)
            raise UnknownModelError(
                f"Unknown model {request.model_type!r}. Available models: {names}."
            )
        parameters = [parameter.name for parameter in model.parameters]
        for name in request.priors:
            if name not in parameters:
                raise PriorError(
                    f"{model.name} has no parameter {name!r}. "
                    f"Its parameters: {', '.join(parameters)}.",
                    pointer=f"/priors/{name}",
                )
        return model
