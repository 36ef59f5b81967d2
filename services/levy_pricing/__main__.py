"""`python -m levy_pricing`: the service as a process."""

from levy_observability import server
from levy_pricing.settings import PricingSettings

if __name__ == "__main__":
    server.run(
        "levy_pricing", "levy_pricing.app:from_environment", PricingSettings.from_environment()
    )
