"""Metrics of the pricing service."""

from levy_service.metrics import ServiceMetrics


class PricingMetrics(ServiceMetrics):
    """Durations of pricing and options priced, by model and method."""

    def __init__(self) -> None:
        super().__init__("levy_pricing")
        self.price_seconds = self.histogram(
            "price_seconds", "Duration of pricing one request, without HTTP", ("model", "method")
        )
        self.options = self.counter("options_priced", "Options priced", ("model", "method"))
