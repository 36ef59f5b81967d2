"""The arguments of every command of `levy`."""

import argparse
from typing import TYPE_CHECKING, NoReturn

from levy_cli import arguments
from levy_cli.quote_options import QUOTES_HELP, add_quote_options
from levy_service.command_line import OneLineParser
from levy_surfaces.printable import printable


class _Parser(OneLineParser):
    """A parser whose messages are safe to print."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[_Parser]


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
    _add_inspect(commands)
    _add_convert(commands)
    _add_sample(commands)
    _add_calibrate(commands)
    _add_compare(commands)
    _add_bayes(commands)
    _add_dataset(commands)
    _add_train(commands)
    _add_registry(commands)
    _add_models(commands)
    _add_serve(commands)
    _add_completion(commands)
    return parser


_POSITIVE = arguments.integer(1, 10**9)
_DRAWS = arguments.integer(1, 10**6)
_SEED = arguments.integer(0, arguments.MAX_SEED)
_PROCESSES = arguments.integer(1, arguments.MAX_PROCESSES)


def _add_json(command: "argparse._ActionsContainer") -> None:
    command.add_argument(
        "--json", action="store_true", help="print the result as one JSON document"
    )


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", required=True, help="model name (see levy models)")


def _add_quotes(command: argparse.ArgumentParser) -> None:
    command.add_argument("quotes", type=arguments.path, help=QUOTES_HELP)


def _add_weights(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--weights",
        choices=("price", "vega", "bid_ask"),
        help="unit of the errors: price, implied volatility (vega) or spread (bid_ask); by default "
        "bid_ask where every quote has bid and ask, else vega",
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
        "--method", default="sinh", help="sinh (default), cos, carr_madan or lewis"
    )
    command.add_argument("--greeks", action="store_true", help="also print sensitivities")
    _add_json(command)


def _add_inspect(commands: "_Commands") -> None:
    command = commands.add_parser(
        "inspect",
        help="show how a file of quotes is read, and check its plausibility",
        description="Show the format that is recognised, the meaning of each column, expiries with "
        "their forwards, the quotes that are dropped and why, and what is not plausible.",
        epilog="Example: levy inspect quotes.csv --plot quotes.html",
    )
    _add_quotes(command)
    _add_selection(command)
    outputs = command.add_argument_group("outputs")
    outputs.add_argument(
        "--plot", type=arguments.path, metavar="HTML", help="write the smiles of all expiries"
    )
    _add_json(outputs)


def _add_convert(commands: "_Commands") -> None:
    command = commands.add_parser(
        "convert",
        help="write a file of quotes in the engine's own columns",
        description="Read the quotes of all dates of a file, and write them with all conversions "
        "made, before cleaning.",
        epilog="Example: levy convert chain.csv quotes.parquet --date 2024-07-01",
    )
    _add_quotes(command)
    command.add_argument(
        "out", type=arguments.path, help="file to write: .parquet, .csv or .csv.gz"
    )
    _add_series(command)
    _add_json(command)


def _add_sample(commands: "_Commands") -> None:
    command = commands.add_parser(
        "sample",
        help="write a synthetic option chain to try the commands with",
        description="Write 615 synthetic quotes with bid and ask, priced by a model of known "
        "parameters.",
        epilog="Example: levy sample chain.csv",
    )
    command.add_argument(
        "out", type=arguments.path, help="file to write: .csv, .csv.gz or .parquet"
    )


def _add_calibrate(commands: "_Commands") -> None:
    command = commands.add_parser(
        "calibrate",
        help="calibrate a model to option quotes",
        description="Clean the quotes of one underlying at one date and calibrate a model to them.",
    )
    _add_quotes(command)
    _add_model(command)
    command.add_argument(
        "--method",
        choices=("hybrid", "neural", "least_squares"),
        default="hybrid",
        help="hybrid (default): least squares from a network's initial guess, if one is trained",
    )
    _add_weights(command)
    command.add_argument(
        "--uncertainty",
        choices=("robust", "discrepancy", "laplace_iid", "psis", "none", "laplace"),
        default="robust",
        help="intervals that allow for correlated errors and misfit (robust, default), from a "
        "Gaussian process on the residuals (discrepancy), for independent errors of equal variance "
        "(laplace_iid), from importance sampling of the posterior (psis), or none; laplace is the "
        "former name of robust",
    )
    command.add_argument(
        "--per-maturity",
        action="store_true",
        help="fit each expiry separately",
    )
    command.add_argument(
        "--starts",
        type=_POSITIVE,
        help="initial guesses of least squares (default: until the best result is found again)",
    )
    command.add_argument(
        "--seed", type=_SEED, default=0, help="random seed of the initial guesses (default 0)"
    )
    _add_selection(command)
    outputs = command.add_argument_group("outputs")
    outputs.add_argument(
        "--plot", type=arguments.path, metavar="HTML", help="write an interactive report"
    )
    outputs.add_argument(
        "--surface",
        type=arguments.path,
        metavar="FILE",
        help="write the cleaned quotes as .csv or .parquet",
    )
    _add_json(outputs)


def _add_compare(commands: "_Commands") -> None:
    command = commands.add_parser(
        "compare",
        help="calibrate several models to option quotes, and rank them",
        description="Clean the quotes of one underlying at one date, fit models to them, and rank "
        "the models by their out-of-sample errors, on alternate strikes that were not fitted.",
    )
    _add_quotes(command)
    command.add_argument(
        "--models", default="all", metavar="A,B,…", help="model names, or all (default)"
    )
    _add_weights(command)
    command.add_argument(
        "--workers", type=_PROCESSES, help="processes (default: up to one per core)"
    )
    _add_selection(command)
    outputs = command.add_argument_group("outputs")
    outputs.add_argument(
        "--plot", type=arguments.path, metavar="HTML", help="write an interactive report"
    )
    _add_json(outputs)


def _add_bayes(commands: "_Commands") -> None:
    command = commands.add_parser(
        "bayes",
        help="sample the posterior of a model's parameters (MCMC or Laplace/PSIS)",
        description="Clean the quotes of one underlying at one date, and draw from the exact "
        "posterior of a model's parameters and of the noise scale.",
    )
    _add_quotes(command)
    _add_model(command)
    command.add_argument(
        "--engine",
        default="numpyro-nuts",
        help="numpyro-nuts (default), laplace-psis (importance sampling, takes seconds), "
        "numpyro-svi, pymc-nuts or pymc-advi",
    )
    command.add_argument(
        "--chains", type=_PROCESSES, default=4, help="number of chains (default 4)"
    )
    command.add_argument(
        "--samples", type=_DRAWS, default=5000, help="draws per chain (default 5000)"
    )
    command.add_argument(
        "--warmup", type=_DRAWS, default=2000, help="warm-up draws per chain (default 2000)"
    )
    command.add_argument("--seed", type=_SEED, default=0, help="random seed (default 0)")
    command.add_argument(
        "--likelihood",
        choices=("normal", "student_t"),
        default="normal",
        help="distribution of the quotes' errors (default normal)",
    )
    command.add_argument(
        "--priors",
        default="{}",
        metavar="JSON",
        help="replace default priors: "
        """'{"nu": {"distribution": "gamma", "shape": 2, "rate": 2}}'""",
    )
    command.add_argument(
        "--predict",
        type=arguments.path,
        metavar="OPTIONS",
        help="file of options to predict (strike, option_type, and maturity_years or expiry); "
        "their maturities must be quoted",
    )
    _add_weights(command)
    _add_selection(command)
    outputs = command.add_argument_group("outputs")
    outputs.add_argument(
        "--plot", type=arguments.path, metavar="HTML", help="write an interactive report"
    )
    outputs.add_argument(
        "--out",
        type=arguments.path,
        metavar="NETCDF",
        help="write the draws as ArviZ InferenceData",
    )
    _add_json(outputs)


def _add_dataset(commands: "_Commands") -> None:
    command = commands.add_parser(
        "dataset",
        help="generate synthetic surfaces to train networks, or add real ones",
        description="Draw parameters of a model, price a surface for each, and write Parquet; a "
        "second run continues the first. Or clean real quotes and add them to the folder.",
        epilog="Example: levy dataset --model CGMY --size 100000 --out data/",
    )
    command.add_argument("--model", help="model name (see levy models)")
    command.add_argument(
        "--size", type=_POSITIVE, default=100_000, help="number of surfaces (default 100000)"
    )
    command.add_argument("--seed", type=_SEED, default=0, help="random seed (default 0)")
    command.add_argument(
        "--layout",
        choices=("grid", "scattered"),
        default="grid",
        help="grid of 20 strikes by 10 maturities (default), or scattered like real listings",
    )
    command.add_argument("--features", action="store_true", help="also write features and targets")
    command.add_argument(
        "--out",
        type=arguments.path,
        default="data",
        metavar="FOLDER",
        help="output folder (default data)",
    )
    command.add_argument("--workers", type=_PROCESSES, help="processes (default: one per core)")
    command.add_argument(
        "--cluster",
        type=arguments.path,
        metavar="ADDRESS",
        help="Dask scheduler, such as tcp://host:8786, or local",
    )
    command.add_argument(
        "--quotes",
        type=arguments.path,
        metavar="FILE",
        help="file of real quotes to clean and add",
    )
    _add_selection(command)
    _add_json(command)


def _add_train(commands: "_Commands") -> None:
    command = commands.add_parser(
        "train",
        help="train a network on a data set and register it",
        description="Train a network by a recipe, evaluate it on the holdout, and write an "
        "artifact with its manifest. A model's first network becomes its champion.",
        epilog="Example: levy train --model CGMY --network mlp --data data/",
    )
    _add_model(command)
    command.add_argument(
        "--network", required=True, help="recipe: mlp, cnn, resnet, ensemble or set"
    )
    command.add_argument(
        "--data",
        type=arguments.path,
        default="data",
        metavar="FOLDER",
        help="folder of data sets (default data)",
    )
    command.add_argument(
        "--recipe",
        type=arguments.path,
        metavar="YAML",
        help="file that replaces the network's recipe",
    )
    command.add_argument(
        "--folds", type=_POSITIVE, help="cross-validate with so many folds; writes no artifact"
    )
    command.add_argument("--resume", action="store_true", help="continue from the last checkpoint")
    command.add_argument(
        "--from",
        dest="start",
        metavar="[MODEL/]VERSION",
        help="start from a trained network (fine-tuning, or transfer to another model)",
    )
    command.add_argument(
        "--promote",
        nargs="?",
        choices=("champion", "challenger"),
        const="champion",
        help="make the network the champion (default of --promote) or the challenger",
    )
    command.add_argument(
        "--strategy",
        choices=("none", "mirrored", "multi_worker"),
        default="none",
        help="distribute batches over the devices of this host (mirrored) or over hosts",
    )
    folders = command.add_argument_group("folders")
    folders.add_argument(
        "--recipes",
        type=arguments.path,
        metavar="FOLDER",
        help="default: the recipes installed with the engine",
    )
    folders.add_argument(
        "--runs",
        type=arguments.path,
        default="build/training",
        metavar="FOLDER",
        help="checkpoints and learning curves (default build/training)",
    )
    folders.add_argument(
        "--registry",
        type=arguments.path,
        metavar="FOLDER",
        help="default: the networks installed with the engine",
    )
    _add_json(command)


def _add_registry(commands: "_Commands") -> None:
    command = commands.add_parser(
        "registry", help="list trained networks, and show or change which one is in use"
    )
    command.add_argument("action", choices=("list", "show", "promote", "rollback"))
    command.add_argument("version", nargs="?", help="version of a network (see levy registry list)")
    command.add_argument("--model", help="model name; list shows all models if absent")
    command.add_argument("--alias", choices=("champion", "challenger"), default="champion")
    command.add_argument(
        "--registry",
        type=arguments.path,
        metavar="FOLDER",
        help="default: LEVY_CALIBRATION_REGISTRY, or the networks installed with the engine",
    )
    _add_json(command)


def _add_series(command: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add what identifies quotes as they are read; return the group of options that select."""
    add_quote_options(command)
    selection = command.add_argument_group("selection of quotes")
    selection.add_argument(
        "--date",
        metavar="DATE",
        help="quote date if the file has several or none (2024-07-01), or date and time if it has "
        "several snapshots of one day (2024-07-01T10:00)",
    )
    selection.add_argument("--underlying", help="underlying if the file has several")
    selection.add_argument(
        "--expiry-time",
        metavar="TIME",
        help="time of day at which options expire, where quotes have a time and expiries are "
        "dates: 16:00 (default, in the time zone of the quotes), 16:00-04:00, or "
        "'16:00 America/New_York'; AM-settled options expire at 09:30",
    )
    return selection


def _add_selection(command: argparse.ArgumentParser) -> None:
    """Add what selects quotes, as they are read and as they are cleaned."""
    selection = _add_series(command)
    selection.add_argument(
        "--min-maturity",
        type=arguments.tenor,
        default=0.0,
        metavar="T",
        help="shortest maturity, in years or as a tenor such as 2w",
    )
    selection.add_argument(
        "--max-maturity",
        type=arguments.tenor,
        default=float("inf"),
        metavar="T",
        help="longest maturity, in years or as a tenor such as 1Y",
    )
    selection.add_argument(
        "--min-moneyness", type=arguments.not_negative, default=0.0, metavar="K/F"
    )
    selection.add_argument(
        "--max-moneyness", type=arguments.not_negative, default=float("inf"), metavar="K/F"
    )
    selection.add_argument(
        "--sides",
        choices=("prefer_otm", "otm", "all"),
        default="prefer_otm",
        help="which option sides to fit: OTM where available (default), OTM only, or all quotes",
    )
    selection.add_argument(
        "--forwards",
        choices=("parity", "given"),
        default="parity",
        help="source of forwards: put-call parity first (default), or the file's columns first",
    )


def _add_models(commands: "_Commands") -> None:
    command = commands.add_parser("models", help="list the models and their parameters")
    _add_json(command)


def _add_serve(commands: "_Commands") -> None:
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


def _add_completion(commands: "_Commands") -> None:
    command = commands.add_parser(
        "completion",
        help="print a shell's completion script",
        description="Print the script that completes commands, options, models and files in a "
        "shell.",
        epilog="Example, for bash: levy completion bash > "
        "~/.local/share/bash-completion/completions/levy",
    )
    command.add_argument("shell", choices=("bash", "zsh", "fish", "tcsh"))
