import numpy as np
import pytest

from levy_numerics import models
from levy_numerics.errors import UnknownModelError, UnsupportedError
from levy_surfaces.synthetic import grid, layouts
from levy_surfaces.synthetic.ranges import Box, model_names, sobol_models, sobol_targets


@pytest.mark.parametrize("name", model_names())
def test_every_place_in_the_box_is_a_model_with_a_forward(name):
    corners = np.array(np.meshgrid(*[[0.0, 0.5, 1.0]] * len(Box.of(name).axes))).reshape(
        len(Box.of(name).axes), -1
    )
    model = Box.of(name).model(corners.T)
    model.check()
    for years in (grid.MATURITY_YEARS.max(), layouts.MATURITY_YEARS[1]):
        assert np.all(model.forward_exists(years))


@pytest.mark.parametrize("name", model_names())
def test_a_calibration_searches_wherever_a_network_may_start_it(name):
    box = Box.of(name)
    corners = np.array(np.meshgrid(*[[0.0, 1.0]] * len(box.axes))).reshape(len(box.axes), -1)
    z = box.coordinates(corners.T)
    low, high = (np.array(end)[:, None] for end in box.model_type.coordinate_bounds())
    assert np.all((z >= low) & (z <= high))


@pytest.mark.parametrize("name", model_names())
def test_targets_and_models_are_inverses(name):
    box = Box.of(name)
    targets = sobol_targets(len(box.axes), 64, seed=3)
    assert box.targets(box.model(targets)) == pytest.approx(targets, abs=1e-9)


PUBLISHED = {
    # Madan, Carr and Chang (1998): risk-neutral, S&P 500 options, 1992 to 1994.
    "VarianceGamma": {"sigma": 0.1213, "nu": 0.1686, "theta": -0.1436},
    # Schoutens (2003), Lévy Processes in Finance: calls on the S&P 500, 18 April 2002.
    "NIG": {"alpha": 6.1882, "beta": -3.8941, "delta": 0.1622},
    "Meixner": {"a": 0.3977, "b": -1.4940, "d": 0.3462},
    # Andersen and Andreasen (2000), Review of Derivatives Research 4: S&P 500, April 1999.
    "Merton": {"sigma": 0.1765, "lam": 0.089, "mu_j": -0.8898, "sigma_j": 0.4505},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_fits_lie_in_the_box(name):
    targets = Box.of(name).targets(models.from_mapping(name, PUBLISHED[name]))
    assert np.all((targets > 0.0) & (targets < 1.0))


@pytest.mark.parametrize("name", ["VarianceGamma", "CGMY", "NIG", "Merton"])
def test_kurtosis_does_not_depend_on_the_level_of_volatility(name):
    targets = sobol_targets(len(Box.of(name).axes), 64, seed=1)
    calm, wild = targets.copy(), targets.copy()
    calm[:, 0], wild[:, 0] = 0.1, 0.5
    kurtosis = [
        k4 / k2**2 for _, k2, _, k4 in (Box.of(name).model(t).cumulants(1.0) for t in (calm, wild))
    ]
    assert kurtosis[1] == pytest.approx(kurtosis[0], rel=0.5)


def test_network_outputs_outside_the_box_are_clipped():
    box = Box.of("VarianceGamma")
    beyond, face = box.model(np.array([[1.5, -0.2, 0.5]])), box.model(np.array([[1.0, 0.0, 0.5]]))
    assert beyond.as_mapping() == face.as_mapping()


def test_a_model_outside_of_the_box_has_targets_outside_of_the_unit_interval():
    box = Box.of("VarianceGamma")
    assert box.targets(box.model_type(sigma=2.0, nu=0.3, theta=-0.1))[0, 0] > 1.0


def test_pieces_of_the_sequence_are_the_sequence():
    whole = sobol_targets(4, 300, seed=7)
    pieces = [sobol_targets(4, n, seed=7, start=k) for k, n in ((0, 5), (5, 123), (128, 172))]
    assert np.array_equal(np.concatenate(pieces), whole)
    assert not np.array_equal(sobol_targets(4, 300, seed=8), whole)


def test_a_batch_has_the_requested_size():
    assert sobol_models("CGMY", 10, seed=0, start=3).Y.shape == (10,)


def test_models_without_ranges_are_rejected():
    with pytest.raises(UnknownModelError):
        Box.of("Heston")
    with pytest.raises(UnsupportedError, match="no training range"):
        Box.of("BlackScholes")


def test_deviations_of_targets_become_those_of_coordinates():
    box = Box.of("VarianceGamma")
    place, deviation = np.array([[0.4, 0.5, 0.6]]), np.array([[0.01, 0.02, 0.03]])
    rng = np.random.default_rng(0)
    drawn = box.coordinates(place + deviation * rng.standard_normal((100_000, 3)))
    assert box.spread(deviation)[0] == pytest.approx(drawn.std(axis=1), rel=0.02)
