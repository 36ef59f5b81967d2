"""`GET /models`."""

from pydantic import Field

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
