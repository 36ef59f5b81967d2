"""What the gateway counts."""

from levy_observability.metrics import ServiceMetrics


class GatewayMetrics(ServiceMetrics):
    """Durations and outcomes of each hop."""

    def __init__(self) -> None:
        super().__init__("levy_gateway")
        self.neighbour_seconds = self.histogram(
            "neighbour_seconds", "Time of one hop to a neighbour", ("neighbour", "outcome")
        )

    def hop(self, neighbour: str, outcome: str, seconds: float) -> None:
        """Count one exchange with a neighbour."""
        self.neighbour_seconds.labels(neighbour, outcome).observe(seconds)
