"""`GET /networks` of the calibration service: who proposes starts now."""

from pydantic import Field

from levy_schemas.wire import Answer


class ServedNetwork(Answer):
    """The networks of one model."""

    champion: str = Field(description="version of the network that answers")
    challenger: str | None = Field(default=None, description="version that answers a share")
    input_dimension: int | None = Field(
        default=None, description="prices that the champion reads; null where any number will do"
    )


class ServedNetworks(Answer):
    """What answers `/calibrate`; it changes with every promotion and rollback."""

    engine_version: str
    networks: dict[str, ServedNetwork] = Field(description="by model; those without are absent")
