"""Train on two logical devices and print the results as JSON; run by a test.

Devices must be configured before TensorFlow starts, so this runs in a separate process.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from levy_calibration.networks.architecture import UNIT_PARAMETERS
from levy_calibration.registry.artifact import Artifact
from levy_calibration.training.distribution import strategy_of
from levy_calibration.training.examples import TrainingData, make_examples
from levy_calibration.training.export import files_of
from levy_calibration.training.recipe import Recipe
from levy_calibration.training.trainer import train

MODEL = "VarianceGamma"


def main(data_folder: Path, registry: Path) -> None:
    """Train, publish, load and evaluate."""
    host = tf.config.list_physical_devices("CPU")[0]
    halves = [tf.config.LogicalDeviceConfiguration() for _ in range(2)]
    tf.config.set_logical_device_configuration(host, halves)
    recipe = Recipe.of(
        {
            "network": "mlp",
            "options": {"widths": [32]},
            "epochs": 8,
            "batch_size": 64,
            "patience": 8,
        }
    )
    data = TrainingData.open(data_folder, MODEL, "grid")
    strategy = strategy_of("mirrored")
    run = train(recipe, data, strategy=strategy)
    held = make_examples(run.held[0], "grid", np.random.default_rng(0), exact=True)
    trained = np.asarray(run.network(held.features, training=False)[UNIT_PARAMETERS])
    manifest = {"model": MODEL, "network": "mlp", "reads": "grid"}
    loaded = Artifact.write(registry, manifest, files_of(run.network, [held.features])).load()
    served = loaded.output(run.held[0].surfaces).unit_parameters
    copies = strategy.experimental_local_results(run.network.weights[-1].value)
    found = {
        "replicas": strategy.num_replicas_in_sync,
        "copies": len(copies),
        "scores": [epoch["holdout_score"] for epoch in run.history],
        "rmse": float(np.sqrt(np.mean((trained - held.targets) ** 2))),
        "apart": float(np.max(np.abs(served - trained))),
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
