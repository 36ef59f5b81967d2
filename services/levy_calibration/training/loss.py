"""Loss functions of training."""

from collections.abc import Callable
from typing import Any, Final, Literal

from keras import ops

Loss = Literal["mse", "likelihood"]
LOSSES: Final[tuple[Loss, ...]] = ("mse", "likelihood")

_LOG_DEVIATION: Final = (-9.0, 1.0)
_WEIGHT_POWER: Final = 0.5


def loss_of(kind: Loss, n_targets: int) -> Callable[[Any, Any], Any]:
    """Return the loss of targets, shape (n, p), and outputs, shape (n, 2p).

    Outputs are unit parameters, then log deviations. `mse` is the mean squared error of unit
    parameters. `likelihood` is the negative normal log-likelihood, each term weighted by a power
    of its predicted deviation, without its gradient: noisy surfaces then do not dominate exact
    ones, as with squared errors, and difficult ones are not neglected, as with the likelihood.

    References
    ----------
    Seitzer, Tavakoli, Antic and Martius (2022), On the pitfalls of heteroscedastic uncertainty
    estimation with probabilistic neural networks, ICLR, eq. (5), β = ½.
    """

    def squares(targets: Any, outputs: Any) -> Any:
        return ops.mean(ops.square(targets - outputs[:, :n_targets]))

    def likelihood(targets: Any, outputs: Any) -> Any:
        log_deviation = ops.clip(outputs[:, n_targets:], *_LOG_DEVIATION)
        scaled = (targets - outputs[:, :n_targets]) * ops.exp(-log_deviation)
        weight = ops.stop_gradient(ops.exp(2.0 * _WEIGHT_POWER * log_deviation))
        return ops.mean(weight * (log_deviation + 0.5 * ops.square(scaled)))

    return squares if kind == "mse" else likelihood


def score_of(kind: Loss, n_targets: int) -> Callable[[Any, Any], Any]:
    """Return the score of an epoch: mean squared error, or mean negative log-likelihood.

    The weighted likelihood is not comparable between epochs: its weights shrink with the errors.
    """
    if kind == "mse":
        return loss_of("mse", n_targets)

    def negative_log_likelihood(targets: Any, outputs: Any) -> Any:
        log_deviation = ops.clip(outputs[:, n_targets:], *_LOG_DEVIATION)
        scaled = (targets - outputs[:, :n_targets]) * ops.exp(-log_deviation)
        return ops.mean(log_deviation + 0.5 * ops.square(scaled), axis=-1)

    return negative_log_likelihood
