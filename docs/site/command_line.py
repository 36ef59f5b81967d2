"""The page of the command line, from the help of every command."""

import argparse
from collections.abc import Iterator
from typing import Final

from levy_cli.command_line import command_line

_INTRODUCTION: Final = """\
# Commands

Every command and option of `levy`, as its `--help` describes them.
[Command line](../command-line.md) describes aliases of models, tenors, exit statuses and shell
completion.
"""


def page() -> str:
    """Return the page as Markdown."""
    return "\n\n".join([_INTRODUCTION, *(_section(parser) for parser in parsers(command_line()))])


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield the parser of every command, in the order of the help."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in dict.fromkeys(action.choices.values()):
                yield command
                yield from parsers(command)


def _section(parser: argparse.ArgumentParser) -> str:
    parts = [f"## {parser.prog}", parser.description or ""]
    parts.append(f"```text\n{parser.format_usage()}```")
    for group in parser._action_groups:
        actions = [
            action
            for action in group._group_actions
            if action.help != argparse.SUPPRESS
            and not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)
        ]
        if actions:
            rows = [f"| {_name(action)} | {_help(parser, action)} |" for action in actions]
            title = {"positional arguments": "argument", "options": "option"}.get(
                group.title or "", group.title
            )
            parts.append("\n".join([f"| {title} | meaning |", "| --- | --- |", *rows]))
    if parser.epilog:
        parts.append(_literal(parser.epilog % {"prog": parser.prog}))
    return "\n\n".join(filter(None, parts))


def _name(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else None
    if value is None and action.nargs != 0:
        value = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else None
        value = value or action.dest.upper()
    if not action.option_strings:
        return _code(value or action.dest)
    return ", ".join(_code(" ".join(filter(None, [name, value]))) for name in action.option_strings)


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    text = parser._get_formatter()._expand_help(action) if action.help else ""
    is_required_option = action.required and bool(action.option_strings)
    return _literal(" ".join(text.split())) + (" (required)" if is_required_option else "")


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


def _literal(text: str) -> str:
    """Escape what Markdown would interpret."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>|#$" else c for c in text)
