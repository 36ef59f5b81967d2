"""Options that several commands of `levy` share."""

import argparse
from typing import TYPE_CHECKING, Any

from levy_cli import arguments

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[Any]

POSITIVE = arguments.integer(1, 10**9)
DRAWS = arguments.integer(1, 10**6)
SEED = arguments.integer(0, arguments.MAX_SEED)
PROCESSES = arguments.integer(1, arguments.MAX_PROCESSES)


def add_json(command: "argparse._ActionsContainer") -> None:
    """Add `--json`."""
    command.add_argument(
        "--json", action="store_true", help="print the result as one JSON document"
    )


def add_model(command: argparse.ArgumentParser) -> None:
    """Add `--model`, which is required."""
    command.add_argument("--model", required=True, help="model name (see levy models)")


def add_plot(
    outputs: "argparse._ActionsContainer", text: str = "write an interactive report"
) -> None:
    """Add `--plot`."""
    outputs.add_argument("--plot", type=arguments.path, metavar="HTML", help=text)
