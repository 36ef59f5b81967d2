"""The catalogue, as clients see it."""

from pydantic import ValidationError

from levy_gateway.clients import Neighbour, NeighbourFailedError
from levy_gateway.handlers.served_versions import Versions
from levy_schemas.catalogue import Catalogue, ModelsResult


async def models(pricing: Neighbour, versions: Versions, seconds: float) -> ModelsResult:
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
    return ModelsResult.of(known, {} if versions.last is None else versions.last.networks)
