"""The catalogue of models, from their declarations."""

from levy_numerics import models
from levy_numerics.parameters import Parameter
from levy_schemas.catalogue import Catalogue, CatalogueEntry, CatalogueParameter


def catalogue(version: str) -> Catalogue:
    """Return all models; `version` is that of the engine."""
    return Catalogue(
        catalogue=tuple(
            CatalogueEntry(
                name=name,
                aliases=models.get(name).aliases,
                parameters=tuple(_parameter(p) for p in models.get(name).parameters()),
                trained=False,
                version=version,
            )
            for name in models.names()
        )
    )


def _parameter(parameter: Parameter) -> CatalogueParameter:
    return CatalogueParameter(
        name=parameter.name,
        symbol=parameter.symbol,
        domain=parameter.domain.condition(parameter.name),
        unit=parameter.unit,
        meaning=parameter.meaning,
        default=parameter.default,
    )
