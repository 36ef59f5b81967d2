"""Transport maps from a standard normal distribution, and bijectors."""

import numpy as np
import pytest

from levy_numerics.inference.bijectors import Box
from levy_numerics.inference.transport_map import Transport
from levy_numerics.models import BlackScholes, VarianceGamma

jax = pytest.importorskip("jax")


def bent(n: int, seed: int) -> np.ndarray:
    """Return draws of a curved, skewed ridge, ten times as long as thick."""
    x, y, z = np.random.default_rng(seed).standard_normal((3, n))
    return np.stack([x, 0.7 * x**2 + 0.1 * y, np.exp(0.5 * z) * np.exp(0.3 * x)])


def test_a_map_transforms_the_law_it_was_fitted_to_into_a_standard_normal() -> None:
    transport = Transport.fitted(bent(8000, 0))
    v, _ = transport.to_standard(bent(8000, 1))
    np.testing.assert_allclose(v.mean(axis=1), 0.0, atol=0.06)
    np.testing.assert_allclose(np.cov(v), np.eye(3), atol=0.1)
    np.testing.assert_allclose((v**3).mean(axis=1), 0.0, atol=0.4)
    # The curvature is removed, too.
    assert abs(np.corrcoef(v[0] ** 2, v[1])[0, 1]) < 0.06
    assert abs(np.corrcoef(v[0] ** 2, v[2])[0, 1]) < 0.06


def test_map_and_inverse_are_consistent_with_their_volumes() -> None:
    transport = Transport.fitted(bent(2000, 0))
    v = 1.5 * np.random.default_rng(1).standard_normal((3, 50))
    u, log_volume = transport.from_standard(v)
    back, log_volume_back = transport.to_standard(u)
    np.testing.assert_allclose(back, v, atol=1e-9)
    np.testing.assert_allclose(log_volume_back, -log_volume, atol=1e-9)


def test_the_volume_is_the_jacobian_s() -> None:
    transport = Transport.fitted(bent(2000, 0))
    v = np.array([0.3, -1.2, 0.8])
    step = 1e-6
    ends = v[:, None] + step * np.concatenate([np.eye(3), -np.eye(3)], axis=1)
    u, _ = transport.from_standard(ends)
    jacobian = (u[:, :3] - u[:, 3:]) / (2.0 * step)
    expected = np.linalg.slogdet(jacobian)[1]
    assert float(transport.from_standard(v[:, None])[1][0]) == pytest.approx(expected, abs=1e-6)


def test_integer_weights_are_equivalent_to_repetition() -> None:
    u = bent(1000, 0)
    counts = np.random.default_rng(2).integers(0, 3, 1000)
    repeated = Transport.fitted(np.repeat(u, counts, axis=1))
    weighted = Transport.fitted(u, counts / counts.sum())
    np.testing.assert_allclose(weighted.centre, repeated.centre, atol=1e-9)
    np.testing.assert_allclose(
        weighted.factor @ weighted.factor.T, repeated.factor @ repeated.factor.T, atol=1e-9
    )


def test_an_affine_map_is_a_normal() -> None:
    factor = np.array([[2.0, 0.0], [1.0, 0.5]])
    transport = Transport.affine(np.array([1.0, -1.0]), factor)
    v = np.random.default_rng(0).standard_normal((2, 7))
    u, log_volume = transport.from_standard(v)
    np.testing.assert_allclose(u, np.array([[1.0], [-1.0]]) + factor @ v, atol=1e-12)
    np.testing.assert_allclose(log_volume, 0.0, atol=1e-12)


def test_collinear_draws_give_a_finite_map() -> None:
    x = np.random.default_rng(0).standard_normal(500)
    v, _ = Transport.fitted(np.stack([x, 2.0 * x])).to_standard(np.stack([x, 2.0 * x]))
    assert np.isfinite(v[0]).all()
    assert v[0].std() == pytest.approx(1.0, abs=0.1)


def test_jax_and_numpy_agree() -> None:
    transport = Transport.fitted(bent(1000, 0))
    v = np.random.default_rng(1).standard_normal((3, 5))
    u, log_volume = transport.from_standard(v)
    with jax.enable_x64(True):
        u_jax, log_volume_jax = transport.from_standard(jax.numpy.asarray(v))
    np.testing.assert_allclose(u_jax, u, rtol=1e-12)
    np.testing.assert_allclose(log_volume_jax, log_volume, rtol=1e-12)


def test_unconstrain_is_the_inverse_of_constrain() -> None:
    box = Box(np.array([-1.0, 0.0]), np.array([3.0, 1e-3]), VarianceGamma)
    u = np.array([[-30.0, 0.0, 2.0], [5.0, -4.0, 12.0], [1.0, -7.0, 0.0]])
    z, log_volume = box.constrain(u)
    assert ((z[0] > -1.0) & (z[0] < 3.0) & (z[1] > 0.0) & (z[1] < 1e-3)).all()
    np.testing.assert_array_equal(z[2], u[2])
    np.testing.assert_allclose(box.unconstrain(z)[:, 1], u[:, 1], rtol=1e-9)
    np.testing.assert_allclose(log_volume, np.log(box.derivative(u)[:2]).sum(axis=0) - np.log(4e-3))


def test_a_point_on_a_face_is_moved_inside() -> None:
    box = Box(np.array([0.0]), np.array([1.0]), BlackScholes)
    assert np.isfinite(box.unconstrain(np.array([[0.0, 1.0]]))).all()
