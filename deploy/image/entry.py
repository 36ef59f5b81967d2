"""Start the service of this image as process 1."""

import os
import shutil
import sys
from pathlib import Path

service = os.environ["SERVICE"]
prefix = f"LEVY_{service.upper()}_"
# Clients of a container are on other hosts, and no other service of the container needs the port.
os.environ.setdefault(f"{prefix}HOST", "0.0.0.0")
os.environ.setdefault(f"{prefix}PORT", "8000")
# Numba reads its cache only from a folder that it can write to.
loops, cache = Path("/opt/levy/loops"), Path(os.environ["NUMBA_CACHE_DIR"])
if loops.is_dir() and not cache.exists():
    shutil.copytree(loops, cache)
os.execv(sys.executable, [sys.executable, "-m", f"levy_{service}", *sys.argv[1:]])
