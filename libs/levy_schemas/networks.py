"""`GET /networks` of the calibration service: who proposes starts now."""

from typing import Final, Literal, Self

from pydantic import Field

from levy_schemas.wire import Answer

SURFACE_SIZE: Final = 200
"""Prices that a network on the standard grid reads: 20 strikes at 10 maturities."""


class ServedNetwork(Answer):
    """The networks of one model."""

    champion: str = Field(description="version of the network that answers")
    challenger: str | None = Field(default=None, description="version that answers a share")
    input_dimension: int | None = Field(
        default=None, description="prices that the champion reads; null where any number will do"
    )

    @classmethod
    def of(
        cls, champion: str, reads: Literal["grid", "points"], challenger: str | None = None
    ) -> Self:
        """Tell of the champion by its version and by what it reads."""
        dimension = SURFACE_SIZE if reads == "grid" else None
        return cls(champion=champion, challenger=challenger, input_dimension=dimension)


class ServedNetworks(Answer):
    """What answers `/calibrate`; it changes with every promotion and rollback."""

    engine_version: str
    networks: dict[str, ServedNetwork] = Field(description="by model; those without are absent")
