"""`levy completion`."""

import argparse
from collections.abc import Iterator
from typing import Final

import shtab

from levy_numerics import models

_FILES: Final = ("FILE", "HTML", "NETCDF", "OPTIONS", "YAML")
"""Placeholders of arguments that are files."""


def run(options: argparse.Namespace) -> int:
    """Print the completion script of a shell."""
    # Imported here, since `levy_cli.main` imports it for every command.
    from levy_cli.command_line import command_line

    parser = command_line()
    for action in _actions(parser):
        if action.dest == "model":
            action.choices = models.names()
        elif action.metavar == "FOLDER":
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined] # read by shtab
        elif action.dest == "quotes" or action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, options.shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the actions of a parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
