"""Arguments of the commands for networks and their data."""

from typing import TYPE_CHECKING

from levy_cli import arguments
from levy_cli.common_options import POSITIVE, PROCESSES, SEED, add_json, add_model
from levy_cli.quote_options import add_selection

if TYPE_CHECKING:
    import argparse

    from levy_cli.common_options import Commands


def add_dataset(commands: "Commands") -> None:
    """Add `levy dataset`."""
    command = commands.add_parser(
        "dataset",
        help="generate synthetic surfaces to train networks, or add real ones",
        description="Draw parameters of a model, price a surface for each, and write Parquet; a "
        "second run continues the first. Or clean real quotes and add them to the folder.",
        epilog="Example: levy dataset --model CGMY --size 100000 --out data/",
    )
    command.add_argument("--model", help="model name (see levy models)")
    command.add_argument(
        "--size", type=POSITIVE, default=100_000, help="number of surfaces (default 100000)"
    )
    command.add_argument("--seed", type=SEED, default=0, help="random seed (default 0)")
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
    command.add_argument("--workers", type=PROCESSES, help="processes (default: one per core)")
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
    add_selection(command)
    add_json(command)


def add_train(commands: "Commands") -> None:
    """Add `levy train`."""
    command = commands.add_parser(
        "train",
        help="train a network on a data set and register it",
        description="Train a network by a recipe, evaluate it on the holdout, and write an "
        "artifact with its manifest. A model's first network that passes the gate becomes its "
        "champion.",
        epilog="Example: levy train --model CGMY --network mlp --data data/",
    )
    add_model(command)
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
        "--folds", type=POSITIVE, help="cross-validate with so many folds; writes no artifact"
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
    _add_gate(command)
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
    add_json(command)


def add_registry(commands: "Commands") -> None:
    """Add `levy registry`."""
    command = commands.add_parser(
        "registry",
        help="list trained networks, and show or change which one is in use",
        description="List or show trained networks; judge one by the gate, or write its model "
        "card; compare two on logged surfaces; train the champion further on logged surfaces; "
        "promote one that passes the gate; or roll back to the previous one.",
        epilog="Example: levy registry promote mlp --model CGMY --alias challenger",
    )
    command.add_argument(
        "action",
        choices=("list", "show", "gate", "card", "compare", "retrain", "promote", "rollback"),
    )
    command.add_argument("version", nargs="?", help="version of a network (see levy registry list)")
    command.add_argument(
        "challenger", nargs="?", metavar="challenger", help="second version, of compare"
    )
    command.add_argument("--model", help="model name; list shows all models if absent")
    command.add_argument("--alias", choices=("champion", "challenger"), default="champion")
    command.add_argument(
        "--registry",
        type=arguments.path,
        metavar="FOLDER",
        help="default: LEVY_CALIBRATION_REGISTRY, or the networks installed with the engine",
    )
    _add_gate(command)
    command.add_argument(
        "--log",
        type=arguments.path,
        metavar="LOG",
        help="file or folder of LEVY_CALIBRATION_AUDIT_LOG, for compare and retrain",
    )
    command.add_argument(
        "--data",
        type=arguments.path,
        metavar="FOLDER",
        help="folder of the data sets that retrain mixes with the log (default data); missing ones "
        "are generated",
    )
    command.add_argument("--epochs", type=POSITIVE, help="epochs of retrain (default 6)")
    command.add_argument(
        "--rehearsal",
        type=POSITIVE,
        help="synthetic surfaces of each layout in retrain (default 8192)",
    )
    command.add_argument(
        "--report",
        type=arguments.path,
        metavar="JSON",
        help="document of levy validate, whose hash and findings the model card states",
    )
    add_json(command)


def add_replay(commands: "Commands") -> None:
    """Add `levy replay`."""
    command = commands.add_parser(
        "replay",
        help="compute logged calibrations again, and compare the answers",
        description="Compute the calibrations in a log of the calibration service again, with the "
        "networks of then, and compare every digit. The exit code is 1 if an answer differs.",
        epilog="Example: levy replay audit/ --id 4f6c0c1e",
    )
    command.add_argument(
        "log",
        type=arguments.path,
        metavar="LOG",
        help="file or folder of LEVY_CALIBRATION_AUDIT_LOG",
    )
    command.add_argument("--id", help="request id; every calibration in the log if absent")
    command.add_argument(
        "--registry",
        type=arguments.path,
        metavar="FOLDER",
        help="default: LEVY_CALIBRATION_REGISTRY, or the networks installed with the engine",
    )
    add_json(command)


def _add_gate(command: "argparse._ActionsContainer") -> None:
    command.add_argument(
        "--gate",
        type=arguments.path,
        metavar="TOML",
        help="thresholds of a promotion (default: those installed with the engine)",
    )
    command.add_argument(
        "--override",
        metavar="REASON",
        help="promote a network that fails the gate; the reason is recorded",
    )
