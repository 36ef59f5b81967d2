"""`levy serve`."""

import argparse


def run(options: argparse.Namespace) -> int:
    """Run every service until Ctrl-C."""
    from levy_cli.serve import serve

    return serve(port=options.port, state_dir=options.state_dir)
