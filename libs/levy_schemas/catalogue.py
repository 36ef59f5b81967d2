"""`GET /models`."""

from collections.abc import Mapping
from typing import Self

from pydantic import Field

from levy_schemas.jobs import Engine
from levy_schemas.networks import SURFACE_SIZE, ServedNetwork
from levy_schemas.wire import FiniteFloat, ResponseModel


class CatalogueParameter(ResponseModel):
    """One parameter of a model."""

    name: str = Field(description="name in requests")
    symbol: str = Field(description="symbol in the literature")
    domain: str = Field(description="condition on its value")
    unit: str
    meaning: str
    default: FiniteFloat | None = Field(default=None, description="default initial value")


class CatalogueEntry(ResponseModel):
    """One model."""

    name: str = Field(description="name in `model_type`")
    aliases: tuple[str, ...] = Field(
        default=(), description="other names; letter case does not matter in any of them"
    )
    parameters: tuple[CatalogueParameter, ...]
    trained: bool = Field(description="whether a trained network is available")
    version: str


class Catalogue(ResponseModel):
    """All models."""

    catalogue: tuple[CatalogueEntry, ...]

    def find(self, model_type: str) -> CatalogueEntry | None:
        """Return the model of a name or alias, in any letter case; None if there is none."""
        key = model_type.casefold()
        matches = (
            entry
            for entry in self.catalogue
            if key in (name.casefold() for name in (entry.name, *entry.aliases))
        )
        return next(matches, None)


class ModelsResult(ResponseModel):
    """The catalogue, with the networks in use."""

    models: tuple[str, ...]
    input_dimensions: dict[str, int] = Field(
        description="number of prices in the input of each model's network, for models with one"
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
