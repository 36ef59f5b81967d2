from dataclasses import replace

import numpy as np
import pytest

from levy_numerics import models
from levy_numerics.calibration import calibrate
from levy_validation import Setting, get
from levy_validation.analyses.sensitivity import (
    groups_of_quotes,
    indices_of_parameters,
    indices_of_vols,
    least_interaction,
    linear_shares,
)
from levy_validation.setting import ignore
from levy_validation.sobol import sobol_indices


def ishigami(x: np.ndarray) -> np.ndarray:
    """Return sin x₁ + 7 sin² x₂ + 0.1 x₃⁴ sin x₁, shape (m, 1)."""
    first, second, third = x.T
    return (np.sin(first) + 7.0 * np.sin(second) ** 2 + 0.1 * third**4 * np.sin(first))[:, None]


def test_indices_of_ishigami_are_the_published_ones() -> None:
    """Ishigami and Homma (1990): indices from V₁ = ½(1 + bπ⁴/5)², V₂ = a²/8, V₁₃ = 8b²π⁸/225."""
    bounds = dict.fromkeys(("x1", "x2", "x3"), (-np.pi, np.pi))
    (found,) = sobol_indices(ishigami, bounds, n=4096, n_resamples=199, seed=1)
    a, b = 7.0, 0.1
    alone = np.array([0.5 * (1 + b * np.pi**4 / 5) ** 2, a**2 / 8, 0.0])
    shared = 8.0 * b**2 * np.pi**8 / 225.0
    variance = alone.sum() + shared
    np.testing.assert_allclose(found.first, alone / variance, atol=0.02)
    total = (alone + shared * np.array([1.0, 0.0, 1.0])) / variance
    np.testing.assert_allclose(found.total, total, atol=0.02)
    assert np.all(np.abs(found.first - alone / variance) <= 2.0 * found.first_width + 1e-3)


def test_interaction_is_stated_only_beyond_its_sampling_error() -> None:
    bounds = dict.fromkeys(("x1", "x2", "x3"), (-np.pi, np.pi))
    (few,) = sobol_indices(ishigami, bounds, n=16, n_resamples=99, seed=1)
    (many,) = sobol_indices(ishigami, bounds, n=4096, n_resamples=99, seed=1)
    # x1 and x3 share 24% of the variance.
    assert least_interaction(few) < 0.24
    assert 0.2 < least_interaction(many) < 0.2437


def test_volatility_at_the_money_is_that_of_sigma_where_there_are_no_jumps(
    setting: Setting,
) -> None:
    truth = models.from_mapping("VarianceGamma", {"sigma": 0.2, "nu": 0.01, "theta": 0.0})
    effort = replace(setting.effort, n_sobol=1024)
    quotes = setting.surfaces[0].quotes
    indices, names = indices_of_vols(replace(setting, effort=effort), truth, quotes)
    at_the_money = [i for i, name in zip(indices, names, strict=True) if "at the money" in name]
    for found in at_the_money:
        assert found.total[0] > 0.98
        assert found.total[1:].max() < 0.02


@pytest.mark.long
def test_indices_of_parameters_agree_with_the_exact_jacobian(setting: Setting) -> None:
    quotes = setting.surfaces[0].quotes
    fit = calibrate(setting.model, quotes)
    shares = linear_shares(fit, quotes)
    indices = indices_of_parameters(setting, fit, quotes)
    assert len(np.unique(groups_of_quotes(quotes))) == len(indices[0].names)
    for found, share in zip(indices, shares, strict=True):
        np.testing.assert_allclose(share.sum(), 1.0)
        assert int(found.total.argmax()) == int(share.argmax())
        np.testing.assert_allclose(found.total, share, atol=0.15)


@pytest.mark.long
def test_the_section_states_what_drives_each_parameter(setting: Setting) -> None:
    section = get("sensitivity").run(setting, ignore)
    for name in ("sigma", "nu", "theta"):
        assert any(f"variance of {name}" in text for text in section.findings)
