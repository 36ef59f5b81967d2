"""The arguments of every command of `levy`."""

import argparse
from typing import TYPE_CHECKING, NoReturn

from levy_cli import arguments
from levy_cli.common_options import add_json, add_model, add_plot
from levy_cli.network_commands import add_dataset, add_registry, add_replay, add_train
from levy_cli.quote_commands import (
    add_bayes,
    add_calibrate,
    add_compare,
    add_convert,
    add_follow,
    add_inspect,
    add_sample,
    add_validate,
)
from levy_service.command_line import OneLineParser
from levy_surfaces.printable import printable

if TYPE_CHECKING:
    from levy_cli.common_options import Commands


class _Parser(OneLineParser):
    """A parser whose messages are safe to print."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


class _HelpFormatter(argparse.HelpFormatter):
    """A formatter that aligns the help of commands; argparse ignores their deeper indent."""

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += self._indent_increment


def command_line() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = _Parser(
        prog="levy",
        formatter_class=_HelpFormatter,
        description="Price options under exponential-Lévy models, and calibrate models to quotes.",
    )
    parser.add_argument(
        "--version", action="store_true", dest="show_version", help="print the version and exit"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    _add_price(commands)
    add_inspect(commands)
    add_convert(commands)
    add_sample(commands)
    add_calibrate(commands)
    add_compare(commands)
    add_bayes(commands)
    add_follow(commands)
    add_validate(commands)
    add_dataset(commands)
    add_train(commands)
    add_registry(commands)
    add_replay(commands)
    _add_models(commands)
    _add_serve(commands)
    _add_completion(commands)
    return parser


def _add_price(commands: "Commands") -> None:
    command = commands.add_parser(
        "price",
        help="price options, also with early exercise or a barrier",
        description="Price every strike at every maturity, with implied volatilities.",
        epilog="Example: levy price --model VarianceGamma --params "
        '\'{"sigma": 0.2, "nu": 0.4, "theta": -0.15}\' '
        "--spot 100 --rate 0.03 --strikes 90,100,110 --maturities 0.25,1",
    )
    add_model(command)
    command.add_argument("--params", required=True, metavar="JSON", help="parameters by name")
    command.add_argument("--spot", required=True, type=arguments.number)
    command.add_argument(
        "--rate",
        type=arguments.number,
        default=0.0,
        help="continuously compounded, per year (default 0)",
    )
    command.add_argument(
        "--dividend",
        type=arguments.number,
        default=0.0,
        help="continuously compounded, per year (default 0)",
    )
    command.add_argument(
        "--strikes",
        required=True,
        type=arguments.strikes,
        metavar="K,K,…",
        help="strikes, and ranges low:high:step: 90,100,110 or 90:110:5",
    )
    command.add_argument(
        "--maturities",
        required=True,
        type=arguments.maturities,
        metavar="T,T,…",
        help="in years or as tenors (d, w, M, Y), and ranges: 0.25,1 or 30d,3M,1Y or 1M:6M:1M",
    )
    command.add_argument("--type", choices=("call", "put"), default="call")
    command.add_argument(
        "--method",
        help="sinh (default), cos, carr_madan or lewis for European options; conv (default) or "
        "pide (finite differences) with early exercise; pide with cash dividends or a barrier that "
        "is monitored continuously",
    )
    command.add_argument(
        "--exercise", choices=("european", "bermudan", "american"), default="european"
    )
    command.add_argument(
        "--exercise-dates",
        type=arguments.maturities,
        metavar="T,T,…",
        help="of Bermudan options, in years or as tenors, and ranges such as 0.1:0.9:0.1",
    )
    command.add_argument(
        "--barrier",
        type=arguments.barrier,
        metavar="KIND:LEVEL",
        help="up-and-out, up-and-in, down-and-out or down-and-in, and the level: up-and-out:120",
    )
    command.add_argument(
        "--barrier-dates",
        type=arguments.maturities,
        metavar="T,T,…",
        help="monitoring dates of the barrier, as --exercise-dates; continuous without them",
    )
    command.add_argument(
        "--cash-dividends",
        type=arguments.dividends,
        metavar="T:D,T:D,…",
        help="times and amounts of cash dividends, in addition to --dividend: 3M:1.5,9M:1.5",
    )
    command.add_argument("--greeks", action="store_true", help="also print sensitivities")
    add_plot(command, "write early-exercise premiums and the exercise boundary as a page")
    add_json(command)


def _add_models(commands: "Commands") -> None:
    command = commands.add_parser("models", help="list the models and their parameters")
    add_json(command)


def _add_serve(commands: "Commands") -> None:
    command = commands.add_parser(
        "serve", help="run every service on this machine; Ctrl-C stops them"
    )
    command.add_argument(
        "--host",
        type=arguments.path,
        default="127.0.0.1",
        help="address of the gateway (default 127.0.0.1: this machine only; 0.0.0.0: every "
        "network, so set LEVY_GATEWAY_API_KEYS)",
    )
    command.add_argument(
        "--port",
        type=arguments.integer(0, 65_535),
        default=8000,
        help="port of the gateway (default 8000; 0: any free one)",
    )
    command.add_argument(
        "--state-dir",
        type=arguments.path,
        metavar="FOLDER",
        help="folder of the jobs, which a later run continues (default: "
        "~/.local/state/levy/serve-PORT)",
    )


def _add_completion(commands: "Commands") -> None:
    command = commands.add_parser(
        "completion",
        help="print a shell's completion script",
        description="Print the script that completes commands, options, models and files in a "
        "shell.",
        epilog="Example, for bash: levy completion bash > "
        "~/.local/share/bash-completion/completions/levy",
    )
    command.add_argument("shell", choices=("bash", "zsh", "fish", "tcsh"))
