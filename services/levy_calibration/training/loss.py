"""What networks are trained to lose little of."""

from collections.abc import Callable
from typing import Any, Final, Literal

from keras import ops

Loss = Literal["mse", "likelihood"]
LOSSES: Final[tuple[Loss, ...]] = ("mse", "likelihood")

_LOG_DEVIATION: Final = (-9.0, 1.0)
_WEIGHT_POWER: Final = 0.5


def loss_of(kind: Loss, n_targets: int) -> Callable[[Any, Any], Any]:
    """Loss of targets, shape (n, p), and answers, shape (n, 2p): places, then log deviations.

    `mse` is the mean squared error of places. `likelihood` is the normal one, each term weighted by
    a power of the deviation that it states, held fixed: noisy surfaces then do not drown exact
    ones, as they would by squares, nor are hard ones given up, as they would be by the likelihood.

    References
    ----------
    Seitzer, Tavakoli, Antic and Martius (2022), On the pitfalls of heteroscedastic uncertainty
    estimation with probabilistic neural networks, ICLR, eq. (5), β = ½.
    """

    def squares(targets: Any, answers: Any) -> Any:
        return ops.mean(ops.square(targets - answers[:, :n_targets]))

    def likelihood(targets: Any, answers: Any) -> Any:
        log_deviation = ops.clip(answers[:, n_targets:], *_LOG_DEVIATION)
        scaled = (targets - answers[:, :n_targets]) * ops.exp(-log_deviation)
        weight = ops.stop_gradient(ops.exp(2.0 * _WEIGHT_POWER * log_deviation))
        return ops.mean(weight * (log_deviation + 0.5 * ops.square(scaled)))

    return squares if kind == "mse" else likelihood


def score_of(kind: Loss, n_targets: int) -> Callable[[Any, Any], Any]:
    """What training is watched by: the mean squared error, or the mean of −log likelihood.

    The weighted likelihood cannot be compared between epochs: its weights shrink with the errors.
    """
    if kind == "mse":
        return loss_of("mse", n_targets)

    def surprise(targets: Any, answers: Any) -> Any:
        log_deviation = ops.clip(answers[:, n_targets:], *_LOG_DEVIATION)
        scaled = (targets - answers[:, :n_targets]) * ops.exp(-log_deviation)
        return ops.mean(log_deviation + 0.5 * ops.square(scaled), axis=-1)

    return surprise
