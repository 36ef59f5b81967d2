"""The catalogue, as clients see it."""

from pydantic import ValidationError

from levy_gateway.clients import Neighbour, NeighbourFailedError
from levy_schemas.catalogue import Catalogue, ModelsResult

SURFACE_SIZE = 200
"""Prices that a trained network reads: 20 strikes at 10 maturities."""


async def models(pricing: Neighbour, seconds: float) -> ModelsResult:
    """Ask the pricing service for the models it knows.

    Raises
    ------
    NeighbourFailedError
        The answer is not a catalogue.
    """
    reply = await pricing.ask("GET", "/models", seconds=seconds)
    try:
        catalogue = Catalogue.model_validate_json(reply.body).catalogue
    except ValidationError as error:
        raise NeighbourFailedError(pricing.name) from error
    return ModelsResult(
        models=tuple(entry.name for entry in catalogue),
        input_dimensions={entry.name: SURFACE_SIZE for entry in catalogue if entry.trained},
        catalogue=catalogue,
    )
