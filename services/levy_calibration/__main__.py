"""`python -m levy_calibration`: run the service."""

from levy_calibration.settings import CalibrationSettings
from levy_service import server

if __name__ == "__main__":
    server.run(
        "levy_calibration",
        "levy_calibration.app:from_environment",
        CalibrationSettings.from_command_line("levy_calibration"),
    )
