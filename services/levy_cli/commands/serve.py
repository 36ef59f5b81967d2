"""`levy serve`."""

import argparse
from pathlib import Path


def run(options: argparse.Namespace) -> int:
    """Run every service until Ctrl-C."""
    from levy_cli.serve import serve

    state_dir = None if options.state_dir is None else Path(options.state_dir)
    return serve(port=options.port, host=options.host, state_dir=state_dir)
