"""`levy serve`: every service on one machine, started and stopped together."""

from levy_cli.serve.supervisor import serve

__all__ = ["serve"]
