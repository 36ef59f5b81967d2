"""The catalogue, as clients see it."""

from typing import Final

from pydantic import ValidationError

from levy_gateway.clients import Neighbour, NeighbourFailedError
from levy_gateway.handlers.versions import Versions
from levy_schemas.catalogue import Catalogue, CatalogueEntry, ModelsResult
from levy_schemas.networks import ServedNetwork

SURFACE_SIZE: Final = 200
"""Prices that a network on the standard grid reads: 20 strikes at 10 maturities."""


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
        known = Catalogue.model_validate_json(reply.body).catalogue
    except ValidationError as error:
        raise NeighbourFailedError(pricing.name) from error
    await versions.refresh()
    networks = {} if versions.last is None else versions.last.networks
    catalogue = tuple(_with_network(entry, networks.get(entry.name)) for entry in known)
    return ModelsResult(
        models=tuple(entry.name for entry in catalogue),
        input_dimensions={
            entry.name: networks[entry.name].input_dimension or SURFACE_SIZE
            for entry in catalogue
            if entry.name in networks
        },
        catalogue=catalogue,
    )


def _with_network(entry: CatalogueEntry, network: ServedNetwork | None) -> CatalogueEntry:
    if network is None:
        return entry.model_copy(update={"trained": False})
    return entry.model_copy(update={"trained": True, "version": network.champion})
