"""Extreme surfaces have a loss with a finite gradient."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from levy_calibration.networks import registry
from levy_calibration.networks.architecture import LOG_DEVIATIONS, PLACES
from levy_calibration.training.loss import LOSSES, Loss, loss_of
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.features import grid_features, point_features
from levy_surfaces.synthetic.priced import PricedSurfaces
from levy_surfaces.synthetic.scaling import StandardScaler

N_TARGETS = 3
N_SURFACES = 4
TARGETS = np.linspace(0.0, 1.0, N_SURFACES * N_TARGETS, dtype=np.float32).reshape(-1, N_TARGETS)


def on_grid(price: np.ndarray) -> PricedSurfaces:
    whole = np.broadcast_to(price, (N_SURFACES, grid.flat_log_strikes().size))
    return PricedSurfaces.of_grid(grid.flat_log_strikes(), grid.flat_maturity_years(), whole)


def usual() -> PricedSurfaces:
    """Return prices at about 20% volatility; time value decays like a normal density."""
    years, strikes = grid.flat_maturity_years(), grid.flat_log_strikes()
    return on_grid(0.08 * np.sqrt(years) * np.exp(-0.5 * (strikes / 0.2) ** 2 / years))


def worthless() -> PricedSurfaces:
    return on_grid(np.zeros(1))


def priceless() -> PricedSurfaces:
    return on_grid(np.minimum(1.0, np.exp(grid.flat_log_strikes())))


def with_few_quotes(left: int, log_strike: float, years: float) -> PricedSurfaces:
    """Return points of which all but some distant ones are masked."""
    shape = (N_SURFACES, 200)
    present = np.broadcast_to(np.arange(shape[1]) < left, shape)
    return PricedSurfaces(
        log_strike=np.where(present, log_strike, 0.0),
        maturity_years=np.where(present, years, 1.0),
        price=np.where(present, 1e-9, 0.0),
        half_spread=np.where(present, 0.5, 0.0),
        present=present,
    )


HOSTILE_POINTS = {
    "no quotes": with_few_quotes(0, 0.0, 1.0),
    "one quote at the money": with_few_quotes(1, 0.0, 0.5),
    "deep in the left wing, a day": with_few_quotes(2, -6.0, 1 / 365),
    "deep in the right wing, a day": with_few_quotes(2, 6.0, 1 / 365),
    "deep in the wing, thirty years": with_few_quotes(3, 6.0, 30.0),
    "the same quote, over and over": with_few_quotes(200, 0.1, 1.0),
    "worthless": worthless(),
    "priceless": priceless(),
}
HOSTILE_GRIDS = {"worthless": worthless(), "priceless": priceless()}
CASES = [
    pytest.param(name, surfaces, id=f"{name}-{case}")
    for name in registry.names()
    for case, surfaces in (
        HOSTILE_GRIDS if registry.get(name).reads == "grid" else HOSTILE_POINTS
    ).items()
]


def features_of(name: str) -> Callable[[PricedSurfaces], np.ndarray]:
    if registry.get(name).reads == "grid":
        return grid_features
    return lambda surfaces: point_features(surfaces)[0]


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize(("name", "surfaces"), CASES)
def test_gradients_are_finite_whatever_is_read(
    name: str, surfaces: PricedSurfaces, kind: Loss
) -> None:
    features = features_of(name)
    scaler = StandardScaler.fit(features(usual()))
    network = registry.get(name)().build(N_TARGETS, scaler, seed=3)
    with tf.GradientTape() as tape:
        answers = network(features(surfaces), training=True)
        joined = tf.concat([answers[PLACES], answers[LOG_DEVIATIONS]], axis=-1)
        loss = loss_of(kind, N_TARGETS)(TARGETS, joined)
    gradients = tape.gradient(loss, [each.value for each in network.trainable_variables])
    assert np.isfinite(loss)
    # Predicted errors do not contribute to a squared loss.
    found = [np.asarray(each) for each in gradients if each is not None]
    assert all(np.all(np.isfinite(each)) for each in found)
    assert max(np.max(np.abs(each)) for each in found) > 0.0
