"""The catalogue of models and networks."""

from pydantic import ValidationError

from levy_gateway.clients import Upstream, UpstreamError
from levy_gateway.handlers.served_versions import ServedVersionsPoller
from levy_schemas.catalogue import Catalogue, ModelsResult


async def models(pricing: Upstream, versions: ServedVersionsPoller, seconds: float) -> ModelsResult:
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
    return ModelsResult.of(catalogue, {} if versions.last is None else versions.last.networks)
