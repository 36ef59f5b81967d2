"""The catalogue of models and networks."""

from pydantic import ValidationError

from levy_gateway.clients import Upstream, UpstreamError, UpstreamUnavailableError
from levy_gateway.handlers.served_versions import ServedVersionsPoller
from levy_gateway.job_store import JobStore
from levy_schemas.catalogue import Catalogue, ModelsResult
from levy_schemas.jobs import Engine


async def models(
    pricing: Upstream, versions: ServedVersionsPoller, seconds: float, jobs: JobStore | None = None
) -> ModelsResult:
    """Return the pricing service's models with the calibration service's networks.

    While the calibration service is unavailable, its last response is used.

    Raises
    ------
    UpstreamError
        The pricing service's response is not a catalogue.
    """
    reply = await pricing.request("GET", "/models", seconds=seconds)
    try:
        catalogue = Catalogue.model_validate_json(reply.body)
    except ValidationError as error:
        raise UpstreamError(pricing.name) from error
    await versions.refresh()
    networks = {} if versions.last is None else versions.last.networks
    return ModelsResult.of(catalogue, networks, await _engines(jobs))


async def _engines(jobs: JobStore | None) -> tuple[Engine, ...]:
    try:
        return await jobs.engines() if jobs else ()
    except UpstreamUnavailableError:
        return ()
