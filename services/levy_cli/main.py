"""The command `levy`: reads arguments, runs one command, turns errors into exit codes.

Only what a command needs is imported, and only once it runs: `levy --help` needs nothing.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]

OK: Final = 0
FAILURE: Final = 1
MISUSE: Final = 2
_EXTRA_OF: Final = {"train": "training", "dataset": "cluster"}
"""Extra that a command requires beyond `serve`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `levy` and return its exit code: 0, 1 for a failure, 2 for misuse.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process by default.
    """
    parser = command_line()
    options = parser.parse_args(arguments)
    if options.version:
        from levy_service.version import engine_version

        print(f"levy {engine_version()}")
        return OK
    if options.command is None:
        parser.print_help(sys.stderr)
        return MISUSE
    try:
        code = int(import_module(f"levy_cli.commands.{options.command}").run(options))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # Whoever read the output has closed it; the interpreter must not try to flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except (ValueError, OSError, ModuleNotFoundError) as error:
        return _told(options.command, error)
    return code


def _told(command: str, error: Exception) -> int:
    """Say on standard error what went wrong; what the caller can put right is misuse."""
    from levy_numerics.errors import LevyError
    from levy_surfaces.printable import printable

    if isinstance(error, LevyError):
        print(f"levy {command}: {printable(error.message)}", file=sys.stderr)
        return MISUSE
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("levy_"):
        extra = _EXTRA_OF.get(command, "serve")
        print(
            f"levy {command}: {error.name} is not installed; "
            f"install it with pip install 'levy-calibration-engine[{extra}]'",
            file=sys.stderr,
        )
        return FAILURE
    if isinstance(error, OSError):
        print(f"levy {command}: {printable(str(error))}", file=sys.stderr)
        return FAILURE
    raise error


def command_line() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="levy",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=24),
        description="Price options under exponential-Lévy models, and fit the models to quotes.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    _add_price(commands)
    _add_calibrate(commands)
    _add_compare(commands)
    _add_bayes(commands)
    _add_dataset(commands)
    _add_train(commands)
    _add_registry(commands)
    _add_models(commands)
    _add_serve(commands)
    return parser


def _numbers(text: str) -> list[float]:
    """Comma-separated numbers."""
    try:
        return [float(entry) for entry in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of numbers such as 90,100,110"
        ) from None


def _positive(text: str) -> int:
    """A whole number from one."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no positive whole number")
    return int(text)


def _add_json(command: "argparse._ActionsContainer") -> None:
    command.add_argument(
        "--json", action="store_true", help="print one JSON document and nothing else"
    )


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", required=True, help="its name; levy models lists them")


def _add_quotes(command: argparse.ArgumentParser) -> None:
    command.add_argument("quotes", help=".csv, .csv.gz or .parquet")


def _add_weights(command: argparse.ArgumentParser, default: str) -> None:
    command.add_argument(
        "--weights",
        choices=("price", "vega", "bid_ask"),
        default=default,
        help=f"errors in price, in implied volatility (vega), or in spreads (default {default})",
    )


def _add_price(commands: "_Commands") -> None:
    command = commands.add_parser(
        "price",
        help="price European options",
        description="Price every strike at every maturity, with implied volatilities.",
        epilog="Example: levy price --model VarianceGamma --params "
        '\'{"sigma": 0.2, "nu": 0.4, "theta": -0.15}\' '
        "--spot 100 --rate 0.03 --strikes 90,100,110 --maturities 0.25,1",
    )
    _add_model(command)
    command.add_argument("--params", required=True, metavar="JSON", help="parameters by name")
    command.add_argument("--spot", required=True, type=float)
    command.add_argument("--rate", type=float, default=0.0, help="continuous, per year")
    command.add_argument("--dividend", type=float, default=0.0, help="continuous, per year")
    command.add_argument("--strikes", required=True, type=_numbers, metavar="K,K,…")
    command.add_argument(
        "--maturities", required=True, type=_numbers, metavar="T,T,…", help="years"
    )
    command.add_argument("--type", choices=("call", "put"), default="call")
    command.add_argument("--method", default="sinh", help="sinh (default), cos, carr_madan, lewis")
    command.add_argument("--greeks", action="store_true", help="sensitivities too")
    _add_json(command)


def _add_calibrate(commands: "_Commands") -> None:
    command = commands.add_parser(
        "calibrate",
        help="fit a model to option quotes",
        description="Clean the quotes of one underlying at one date and fit a model to them.",
    )
    _add_quotes(command)
    _add_model(command)
    command.add_argument(
        "--method",
        choices=("hybrid", "neural", "least_squares"),
        default="hybrid",
        help="hybrid (default): a network's start, if one is trained, and exact least squares",
    )
    _add_weights(command, "price")
    command.add_argument(
        "--uncertainty",
        choices=("laplace", "psis", "none"),
        default="laplace",
        help="intervals at the optimum (default), weighted by the exact posterior, or none",
    )
    command.add_argument(
        "--per-maturity",
        action="store_true",
        help="one fit for each expiry instead of one for all of them",
    )
    command.add_argument(
        "--starts", type=int, help="of least squares (default: until the best is confirmed)"
    )
    command.add_argument("--seed", type=int, default=0, help="of the starts (default 0)")
    _add_selection(command)
    outputs = command.add_argument_group("outputs")
    outputs.add_argument("--plot", metavar="HTML", help="write an interactive page of the fit")
    outputs.add_argument(
        "--surface", metavar="FILE", help="write the cleaned quotes as .csv or .parquet"
    )
    _add_json(outputs)


def _add_compare(commands: "_Commands") -> None:
    command = commands.add_parser(
        "compare",
        help="fit every model to option quotes, and rank them",
        description="Clean the quotes of one underlying at one date, fit models to them, and rank "
        "the models by their errors on alternate strikes, which the fits have not seen.",
    )
    _add_quotes(command)
    command.add_argument(
        "--models", default="all", metavar="A,B,…", help="their names, or all (default)"
    )
    _add_weights(command, "vega")
    command.add_argument(
        "--workers", type=_positive, help="processes (default: one a core, if it is worth it)"
    )
    _add_selection(command)
    outputs = command.add_argument_group("outputs")
    outputs.add_argument("--plot", metavar="HTML", help="write an interactive page")
    _add_json(outputs)


def _add_bayes(commands: "_Commands") -> None:
    command = commands.add_parser(
        "bayes",
        help="sample the posterior of a model given option quotes",
        description="Clean the quotes of one underlying at one date, and draw from the exact "
        "posterior of a model's parameters and of the errors' scale.",
    )
    _add_quotes(command)
    _add_model(command)
    command.add_argument(
        "--engine",
        default="numpyro-nuts",
        help="numpyro-nuts (default), or laplace-psis: an approximation in a moment, weighted; "
        "numpyro-svi, pymc-advi and pymc-nuts check them",
    )
    command.add_argument("--chains", type=_positive, default=4, help="default 4")
    command.add_argument("--samples", type=_positive, default=5000, help="a chain (default 5000)")
    command.add_argument(
        "--warmup", type=_positive, default=2000, help="a chain, dropped (default 2000)"
    )
    command.add_argument("--seed", type=int, default=0, help="of the draws (default 0)")
    command.add_argument(
        "--likelihood",
        choices=("normal", "student_t"),
        default="normal",
        help="of a quote about the model's price (default normal)",
    )
    command.add_argument(
        "--priors",
        default="{}",
        metavar="JSON",
        help="instead of the default ones: "
        """'{"nu": {"distribution": "gamma", "shape": 2, "rate": 2}}'""",
    )
    command.add_argument(
        "--predict",
        metavar="OPTIONS",
        help="file of options to predict (strike, option_type, and maturity_years or expiry), at "
        "maturities of the quotes",
    )
    _add_weights(command, "price")
    _add_selection(command)
    outputs = command.add_argument_group("outputs")
    outputs.add_argument("--plot", metavar="HTML", help="write an interactive page")
    outputs.add_argument("--out", metavar="NETCDF", help="keep the draws, as ArviZ reads them")
    _add_json(outputs)


def _add_dataset(commands: "_Commands") -> None:
    command = commands.add_parser(
        "dataset",
        help="make surfaces to train networks on, or keep real ones beside them",
        description="Draw parameters of a model, price a surface for each, and write Parquet; a "
        "second run continues the first. Or clean real quotes and keep them in the same folder.",
        epilog="Example: levy dataset --model CGMY --size 100000 --out data/",
    )
    command.add_argument("--model", help="its name; levy models lists them")
    command.add_argument(
        "--size", type=_positive, default=100_000, help="surfaces (default 100000)"
    )
    command.add_argument("--seed", type=int, default=0, help="of the draws (default 0)")
    command.add_argument(
        "--layout",
        choices=("grid", "scattered"),
        default="grid",
        help="20 strikes by 10 maturities (default), or listings as irregular as real ones",
    )
    command.add_argument(
        "--features", action="store_true", help="write features and targets as well"
    )
    command.add_argument("--out", default="data", metavar="FOLDER", help="default: data")
    command.add_argument("--workers", type=_positive, help="processes (default: one a core)")
    command.add_argument(
        "--cluster", metavar="ADDRESS", help="a Dask scheduler, as tcp://host:8786, or local"
    )
    command.add_argument("--quotes", metavar="FILE", help="real quotes to clean and keep")
    _add_selection(command)
    _add_json(command)


def _add_train(commands: "_Commands") -> None:
    command = commands.add_parser(
        "train",
        help="train a network on a data set, and put it into the registry",
        description="Train by the recipe of a network, judge it on the holdout, and write an "
        "artifact with its manifest. A model's first network becomes its champion.",
        epilog="Example: levy train --model CGMY --network mlp --data data/",
    )
    _add_model(command)
    command.add_argument(
        "--network", required=True, help="mlp, cnn, resnet, ensemble or set: which recipe"
    )
    command.add_argument("--data", default="data", metavar="FOLDER", help="default: data")
    command.add_argument("--recipe", metavar="YAML", help="instead of that of the network")
    command.add_argument("--folds", type=_positive, help="cross-validate; no artifact is written")
    command.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    command.add_argument(
        "--from",
        dest="start",
        metavar="[MODEL/]VERSION",
        help="begin from a trained network: to learn from new data, or for another model",
    )
    command.add_argument(
        "--promote",
        nargs="?",
        choices=("champion", "challenger"),
        const="champion",
        help="make it the champion, which is what --promote alone does, or the challenger",
    )
    command.add_argument(
        "--strategy",
        choices=("none", "mirrored", "multi_worker"),
        default="none",
        help="share batches between the devices of this host, or between hosts",
    )
    where = command.add_argument_group("folders")
    where.add_argument("--recipes", default="deploy/training", metavar="FOLDER")
    where.add_argument("--runs", default="build/training", metavar="FOLDER", help="checkpoints")
    where.add_argument("--registry", metavar="FOLDER", help="default: that of the engine")
    _add_json(command)


def _add_registry(commands: "_Commands") -> None:
    command = commands.add_parser(
        "registry", help="list trained networks, and say which of them answers"
    )
    command.add_argument("action", choices=("list", "show", "promote", "rollback"))
    command.add_argument("version", nargs="?", help="of a network; levy registry list tells them")
    command.add_argument("--model", help="its name; list shows all without")
    command.add_argument("--alias", choices=("champion", "challenger"), default="champion")
    command.add_argument(
        "--registry",
        metavar="FOLDER",
        help="default: LEVY_CALIBRATION_REGISTRY, or the networks that come with the engine",
    )
    _add_json(command)


def _add_selection(command: argparse.ArgumentParser) -> None:
    which = command.add_argument_group("which quotes")
    which.add_argument(
        "--date",
        metavar="DATE",
        help="quote date if the file has several (2024-07-01), or date and time if it has several "
        "snapshots of one day (2024-07-01T10:00)",
    )
    which.add_argument("--underlying", help="underlying if the file has several")
    which.add_argument(
        "--expiry-time",
        metavar="TIME",
        help="time of day at which options expire, where quotes have a time and expiries are "
        "dates: 16:00 (default, in the time zone of the quotes), 16:00-04:00, or "
        "'16:00 America/New_York'; AM-settled options expire at 09:30",
    )
    which.add_argument("--min-maturity", type=float, default=0.0, metavar="YEARS")
    which.add_argument("--max-maturity", type=float, default=float("inf"), metavar="YEARS")
    which.add_argument("--min-moneyness", type=float, default=0.0, metavar="K/F")
    which.add_argument("--max-moneyness", type=float, default=float("inf"), metavar="K/F")
    which.add_argument(
        "--sides",
        choices=("prefer_otm", "otm", "all"),
        default="prefer_otm",
        help="drop in-the-money quotes where the other side is quoted (default), always, or never",
    )
    which.add_argument(
        "--forwards",
        choices=("parity", "given"),
        default="parity",
        help="from put-call parity (default) or from the file's columns first",
    )


def _add_models(commands: "_Commands") -> None:
    command = commands.add_parser("models", help="list the models and their parameters")
    _add_json(command)


def _add_serve(commands: "_Commands") -> None:
    command = commands.add_parser(
        "serve", help="run every service on this machine; Ctrl-C stops them"
    )
    command.add_argument("--port", type=int, default=8000, help="of the gateway (default 8000)")


if __name__ == "__main__":
    raise SystemExit(main())
