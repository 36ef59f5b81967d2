"""`GET /models`."""

from collections.abc import Mapping
from typing import Self

from pydantic import Field

from levy_schemas.jobs import Engine
from levy_schemas.networks import SURFACE_SIZE, ServedNetwork
from levy_schemas.wire import Answer, FiniteFloat


class CatalogueParameter(Answer):
    """One parameter of a model."""

    name: str = Field(description="as in requests")
    symbol: str = Field(description="as in the literature")
    domain: str = Field(description="condition that it must meet")
    unit: str
    meaning: str
    default: FiniteFloat | None = Field(default=None, description="where a fit starts")


class CatalogueEntry(Answer):
    """One model."""

    name: str = Field(description="as in `model_type`")
    parameters: tuple[CatalogueParameter, ...]
    trained: bool = Field(description="whether a neural calibrator is there")
    version: str


class Catalogue(Answer):
    """What the pricing service knows."""

    catalogue: tuple[CatalogueEntry, ...]


class ModelsResult(Answer):
    """What the gateway answers: the catalogue, and what neural calibrators read."""

    models: tuple[str, ...]
    input_dimensions: dict[str, int] = Field(
        description="prices that each trained network reads; models without one are absent"
    )
    catalogue: tuple[CatalogueEntry, ...]
    engines: tuple[Engine, ...] = Field(
        default=(),
        description="sampling engines that the running workers have installed; empty while no "
        "worker runs",
    )

    @classmethod
    def of(
        cls,
        catalogue: Catalogue,
        networks: Mapping[str, ServedNetwork],
        engines: tuple[Engine, ...] = (),
    ) -> Self:
        """Combine the models, the networks in use and the sampling engines."""
        entries = tuple(
            _with_network(entry, networks.get(entry.name)) for entry in catalogue.catalogue
        )
        return cls(
            models=tuple(entry.name for entry in entries),
            input_dimensions={
                entry.name: networks[entry.name].input_dimension or SURFACE_SIZE
                for entry in entries
                if entry.name in networks
            },
            catalogue=entries,
            engines=engines,
        )


def _with_network(entry: CatalogueEntry, network: ServedNetwork | None) -> CatalogueEntry:
    if network is None:
        return entry.model_copy(update={"trained": False})
    return entry.model_copy(update={"trained": True, "version": network.champion})
