"""`python -m levy_gateway`: run the gateway."""

from levy_gateway.settings import GatewaySettings
from levy_service import server

if __name__ == "__main__":
    server.run(
        "levy_gateway",
        "levy_gateway.app:from_environment",
        GatewaySettings.from_command_line("levy_gateway"),
    )
