"""`GET /networks` of the calibration service: the networks in use."""

from typing import Final, Literal, Self

from pydantic import Field

from levy_schemas.wire import ResponseModel

Reads = Literal["grid", "points"]
"""Input of a network: prices on the standard grid, or any quotes."""
SURFACE_SIZE: Final = 200
"""Number of prices on the standard grid: 20 strikes at 10 maturities."""


class ServedNetwork(ResponseModel):
    """The networks in use for one model."""

    champion: str = Field(description="version of the network in use")
    challenger: str | None = Field(
        default=None, description="version in use for a fraction of the requests"
    )
    input_dimension: int | None = Field(
        default=None, description="number of prices in the champion's input; null if it is variable"
    )

    @classmethod
    def of(cls, champion: str, reads: Reads, challenger: str | None = None) -> Self:
        """Describe the champion by its version and the form of its input."""
        dimension = SURFACE_SIZE if reads == "grid" else None
        return cls(champion=champion, challenger=challenger, input_dimension=dimension)


class ServedNetworks(ResponseModel):
    """The networks in use; they change with every promotion and rollback."""

    engine_version: str
    networks: dict[str, ServedNetwork] = Field(description="by model, for models with a network")
    skipped: dict[str, str] = Field(
        default={}, description="why a network is not available, by model/version or model/alias"
    )
