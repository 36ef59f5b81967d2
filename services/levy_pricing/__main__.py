"""`python -m levy_pricing`: run the service."""

from levy_pricing.settings import PricingSettings
from levy_service import server

if __name__ == "__main__":
    server.run(
        "levy_pricing",
        "levy_pricing.app:from_environment",
        PricingSettings.from_command_line("levy_pricing"),
    )
