"""Coordinates in which calibrations search: onto the domain, invertible, smooth."""

import numpy as np

from levy_numerics.models import LevyModel, Model
from levy_numerics.parameters import check_domain
from tests.numerics.models.members import (
    every_levy_model,
    every_model,
    horizons,
    points_in_boxes,
    typical_members,
    values,
)


@every_model
def test_coordinates_invert_over_the_typical_range(cls: type[Model]) -> None:
    for model in typical_members(cls, 200, "round trip"):
        again = cls.from_coordinates(model.to_coordinates())
        np.testing.assert_allclose(values(again), values(model), rtol=1e-9, atol=1e-12)


@every_levy_model
def test_every_point_of_the_box_is_an_admissible_model(cls: type[LevyModel]) -> None:
    for z in points_in_boxes(cls, 500, "box").T:
        model = cls.from_coordinates(z)
        model.check()
        for p in cls.parameters():
            check_domain(p, getattr(model, p.name))
        assert np.all(np.isfinite(model.drift_correction(np.array(horizons(model)))))


@every_model
def test_the_box_maps_back_to_itself(cls: type[Model]) -> None:
    inside = points_in_boxes(cls, 500, "back")[:, :500]
    again = cls.from_coordinates(inside).to_coordinates()
    # Near a boundary of the domain, a parameter's distance from it has fewer digits.
    np.testing.assert_allclose(again, inside, rtol=1e-6, atol=1e-4)


@every_model
def test_the_example_lies_well_inside_the_box(cls: type[Model]) -> None:
    low, high = (np.asarray(end) for end in cls.coordinate_bounds())
    z = cls.example().to_coordinates()
    margin = 0.02 * (high - low)
    assert np.all((z > low + margin) & (z < high - margin))


@every_model
def test_the_jacobian_of_the_coordinates_agrees_with_central_differences(cls: type[Model]) -> None:
    for model in typical_members(cls, 10, "jacobian"):
        z = np.asarray(model.to_coordinates(), dtype=float)
        exact = cls.coordinate_jacobian(z)
        assert exact.shape == (len(cls.parameters()), z.size)
        step = 1e-5 * np.eye(z.size)
        columns = [
            np.subtract(values(cls.from_coordinates(z + h)), values(cls.from_coordinates(z - h)))
            / 2e-5
            for h in step
        ]
        scale = np.abs(values(model))[:, None]
        np.testing.assert_allclose(exact / scale, np.stack(columns, axis=1) / scale, atol=1e-7)
        beside, again = cls.from_coordinates_with_jacobian(z)
        np.testing.assert_allclose(values(beside), values(cls.from_coordinates(z)), rtol=1e-13)
        np.testing.assert_array_equal(again, exact)


@every_model
def test_coordinates_take_many_points_at_once(cls: type[Model]) -> None:
    points = points_in_boxes(cls, 10, "many")[:, :10]
    together = cls.from_coordinates(points)
    for i, z in enumerate(points.T):
        alone = values(cls.from_coordinates(z))
        np.testing.assert_allclose([v[i] for v in values(together)], alone, rtol=1e-15)
