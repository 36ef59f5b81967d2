"""Arguments of the commands that read or write quotes."""

from typing import TYPE_CHECKING

from levy_cli import arguments
from levy_cli.common_options import DRAWS, POSITIVE, PROCESSES, SEED, add_json, add_model, add_plot
from levy_cli.quote_options import add_quotes, add_selection, add_series, add_weights

if TYPE_CHECKING:
    from levy_cli.common_options import Commands


def add_inspect(commands: "Commands") -> None:
    """Add `levy inspect`."""
    command = commands.add_parser(
        "inspect",
        help="show how a file of quotes is read, and check its plausibility",
        description="Show the format that is recognised, the meaning of each column, expiries with "
        "their forwards, the quotes that are dropped and why, and what is not plausible.",
        epilog="Example: levy inspect quotes.csv --plot quotes.html",
    )
    add_quotes(command)
    add_selection(command)
    outputs = command.add_argument_group("outputs")
    add_plot(outputs, "write the smiles of all expiries")
    add_json(outputs)


def add_convert(commands: "Commands") -> None:
    """Add `levy convert`."""
    command = commands.add_parser(
        "convert",
        help="write a file of quotes in the engine's own columns",
        description="Read the quotes of all dates of a file, and write them with all conversions "
        "made, before cleaning.",
        epilog="Example: levy convert chain.csv quotes.parquet --date 2024-07-01",
    )
    add_quotes(command)
    command.add_argument(
        "out", type=arguments.path, help="file to write: .parquet, .csv or .csv.gz"
    )
    add_series(command)
    add_json(command)


def add_sample(commands: "Commands") -> None:
    """Add `levy sample`."""
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


def add_calibrate(commands: "Commands") -> None:
    """Add `levy calibrate`."""
    command = commands.add_parser(
        "calibrate",
        help="calibrate a model to option quotes",
        description="Clean the quotes of one underlying at one date and calibrate a model to them.",
    )
    add_quotes(command)
    add_model(command)
    command.add_argument(
        "--method",
        choices=("hybrid", "neural", "least_squares"),
        default="hybrid",
        help="hybrid (default): least squares from a network's initial guess, if one is trained",
    )
    add_weights(command)
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
        "--explain",
        action="store_true",
        help="show which quotes determine the parameters: leverage, Cook's distance and the change "
        "of each parameter per vol point of a quote",
    )
    command.add_argument(
        "--starts",
        type=POSITIVE,
        help="initial guesses of least squares (default: until the best result is found again)",
    )
    command.add_argument(
        "--seed", type=SEED, default=0, help="random seed of the initial guesses (default 0)"
    )
    add_selection(command)
    outputs = command.add_argument_group("outputs")
    add_plot(outputs)
    outputs.add_argument(
        "--surface",
        type=arguments.path,
        metavar="FILE",
        help="write the cleaned quotes as .csv or .parquet",
    )
    add_json(outputs)


def add_compare(commands: "Commands") -> None:
    """Add `levy compare`."""
    command = commands.add_parser(
        "compare",
        help="calibrate several models to option quotes, and rank them",
        description="Clean the quotes of one underlying at one date, fit models to them, and rank "
        "the models by their errors on expiries, or strikes, that were not fitted.",
    )
    add_quotes(command)
    command.add_argument(
        "--models", default="all", metavar="A,B,…", help="model names, or all (default)"
    )
    add_weights(command)
    command.add_argument(
        "--workers", type=PROCESSES, help="processes (default: up to one per core)"
    )
    add_selection(command)
    outputs = command.add_argument_group("outputs")
    add_plot(outputs)
    add_json(outputs)


def add_bayes(commands: "Commands") -> None:
    """Add `levy bayes`."""
    command = commands.add_parser(
        "bayes",
        help="sample the posterior of a model's parameters (MCMC or Laplace/PSIS)",
        description="Clean the quotes of one underlying at one date, and draw from the exact "
        "posterior of a model's parameters and of the noise scale.",
    )
    add_quotes(command)
    add_model(command)
    command.add_argument(
        "--engine",
        default="numpyro-nuts",
        help="numpyro-nuts (default), laplace-psis (importance sampling, takes seconds), "
        "numpyro-svi, pymc-nuts or pymc-advi",
    )
    command.add_argument("--chains", type=PROCESSES, default=4, help="number of chains (default 4)")
    command.add_argument(
        "--samples", type=DRAWS, default=5000, help="draws per chain (default 5000)"
    )
    command.add_argument(
        "--warmup", type=DRAWS, default=2000, help="warm-up draws per chain (default 2000)"
    )
    command.add_argument("--seed", type=SEED, default=0, help="random seed (default 0)")
    command.add_argument(
        "--likelihood",
        choices=("discrepancy", "normal", "student_t"),
        default="discrepancy",
        help="errors of the quotes: correlated by a discrepancy between model and market "
        "(discrepancy, default), or independent (normal, student_t)",
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
    add_weights(command)
    add_selection(command)
    outputs = command.add_argument_group("outputs")
    add_plot(outputs)
    outputs.add_argument(
        "--out",
        type=arguments.path,
        metavar="NETCDF",
        help="write the draws as ArviZ InferenceData",
    )
    add_json(outputs)


def add_follow(commands: "Commands") -> None:
    """Add `levy follow`."""
    command = commands.add_parser(
        "follow",
        help="follow a model through daily surfaces",
        description="Fit a model to each day of a file or folder of quotes in turn, with what the "
        "days before it show; report parameters, intervals, and the errors of the parameters that "
        "were predicted for each day.",
        epilog="Example: levy follow quotes/ --model CGMYSato --out path.parquet --plot path.html",
    )
    command.add_argument(
        "quotes", type=arguments.path, help="file of several days, or folder of files"
    )
    add_model(command)
    command.add_argument(
        "--estimator",
        choices=("filter", "penalised", "warm"),
        default="filter",
        help="filter (default): an extended Kalman filter, whose parameters move with the return "
        "of the underlying; penalised: least squares, drawn towards the day before as much as "
        "predicts best; warm: each day alone, begun at the parameters of the day before",
    )
    command.add_argument(
        "--restart", action="store_true", help="replace the file of --out instead of continuing it"
    )
    many = command.add_argument_group("many underlyings")
    many.add_argument(
        "--each",
        action="store_true",
        help="quotes is a folder of underlyings, each a file or folder; --out is a folder",
    )
    many.add_argument(
        "--workers", type=PROCESSES, help="processes for --each (default: one per core)"
    )
    many.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="run --each on a Dask cluster that shares these folders: tcp://host:8786, or local",
    )
    add_weights(command)
    add_selection(command)
    outputs = command.add_argument_group("outputs")
    outputs.add_argument(
        "--out",
        type=arguments.path,
        metavar="PARQUET",
        help="write a row for each day; a file that exists is continued after its last day",
    )
    add_plot(outputs, "write the paths of parameters and errors")
    add_json(outputs)


def add_validate(commands: "Commands") -> None:
    """Add `levy validate`."""
    command = commands.add_parser(
        "validate",
        help="validate a model's calibration, and its network, and write a report",
        description="Run analyses of a model's calibration on quotes and on simulated surfaces; "
        "write one HTML report and one JSON document of every figure.",
        epilog="Example: levy validate --model VG --suite quick --out validation",
    )
    add_model(command)
    command.add_argument(
        "--suite",
        default="all",
        metavar="all|quick|NAME,…",
        help="all analyses (default), all with few repetitions, or some by name: "
        "docs/validation.md lists them",
    )
    command.add_argument(
        "--quotes",
        type=arguments.path,
        metavar="FILE|FOLDER",
        help="file or folder of quotes, of one day or several (default: the synthetic sample of "
        "levy sample)",
    )
    command.add_argument(
        "--days", type=POSITIVE, help="most days to use (default 60, quick: 12), evenly spread"
    )
    command.add_argument(
        "--no-network", action="store_true", help="fit without the model's trained network"
    )
    command.add_argument("--seed", type=SEED, default=0, help="random seed (default 0)")
    add_selection(command)
    outputs = command.add_argument_group("outputs")
    outputs.add_argument(
        "--out",
        type=arguments.path,
        default="validation",
        metavar="FOLDER",
        help="folder of validation.html and validation.json (default validation)",
    )
    add_json(outputs)
