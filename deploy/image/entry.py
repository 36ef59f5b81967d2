"""Becomes the service that the image was made for, as process 1."""

import os
import sys

service = os.environ["SERVICE"]
prefix = f"LEVY_{service.upper()}_"
# In a container the outside is another host, and there is no neighbour to share a port with.
os.environ.setdefault(f"{prefix}HOST", "0.0.0.0")
os.environ.setdefault(f"{prefix}PORT", "8000")
os.execv(sys.executable, [sys.executable, "-m", f"levy_{service}", *sys.argv[1:]])
