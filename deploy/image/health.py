"""Health check of the container: exit with 0 if the service is ready, otherwise with 1."""

import http.client
import os
import sys

port = int(os.environ.get(f"LEVY_{os.environ['SERVICE'].upper()}_PORT", "8000"))
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
try:
    connection.request("GET", "/health/ready")
    sys.exit(connection.getresponse().status != 200)
except OSError:
    sys.exit(1)
