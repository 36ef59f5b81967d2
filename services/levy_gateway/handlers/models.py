"""The catalogue, as clients see it."""

from pydantic import ValidationError

from levy_gateway.clients import Neighbour, NeighbourFailedError, NeighbourUnavailableError
from levy_gateway.handlers.served_versions import Versions
from levy_gateway.job_store import JobStore
from levy_schemas.catalogue import Catalogue, ModelsResult
from levy_schemas.jobs import Engine


async def models(
    pricing: Neighbour, versions: Versions, seconds: float, jobs: JobStore | None = None
) -> ModelsResult:
    """Ask the pricing service for the models it knows, and calibration for their networks.

    While calibration is away, models are listed as its last answer had them.

    Raises
    ------
    NeighbourFailedError
        The answer is not a catalogue.
    """
    reply = await pricing.ask("GET", "/models", seconds=seconds)
    try:
        known = Catalogue.model_validate_json(reply.body)
    except ValidationError as error:
        raise NeighbourFailedError(pricing.name) from error
    await versions.refresh()
    networks = {} if versions.last is None else versions.last.networks
    return ModelsResult.of(known, networks, await _engines(jobs))


async def _engines(jobs: JobStore | None) -> tuple[Engine, ...]:
    try:
        return await jobs.engines() if jobs else ()
    except NeighbourUnavailableError:
        return ()
