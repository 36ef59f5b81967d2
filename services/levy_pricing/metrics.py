"""What the pricing service counts."""

from levy_service.metrics import ServiceMetrics


class PricingMetrics(ServiceMetrics):
    """Durations of pricing by model and method, and options priced."""

    def __init__(self) -> None:
        super().__init__("levy_pricing")
        self.price_seconds = self.histogram(
            "price_seconds", "Time of pricing one request, without HTTP", ("model", "method")
        )
        self.options = self.counter("options_priced", "Options priced", ("model", "method"))
