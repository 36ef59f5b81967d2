"""Simulation-based calibration in a small size, and its power against wrong posteriors."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.sbc.__main__ import write_page
from tests.sbc.ranks import N_BINS, N_DRAWS, Level, band, inside, rank, thinned
from tests.sbc.runs import Run
from tests.sbc.simulated import Simulated

jax = pytest.importorskip("jax")
pytest.importorskip("numpyro")

SURFACES = 60
RUN = Run("VarianceGamma", "laplace-psis", n_chains=1, n_samples=500)


@pytest.fixture(scope="module", autouse=True)
def doubles() -> Iterator[None]:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.fixture(scope="module")
def ranked() -> list[dict[str, Any]]:
    return [RUN.one(number) for number in range(SURFACES)]


@pytest.mark.long
def test_ranks_of_the_true_values_are_uniform(ranked: list[dict[str, Any]]) -> None:
    assert not [surface for surface in ranked if "failed" in surface]
    for name in ("sigma", "nu", "theta", "noise"):
        level = Level.of(
            np.array([surface["rank"][name] for surface in ranked]),
            np.array([surface["inside"][name] for surface in ranked]),
        )
        assert level.p_value > 1e-4, name
        # 0.9 minus four standard errors.
        assert level.coverage > 0.745, name


def test_the_same_number_simulates_the_same_surface() -> None:
    first, again, other = (Simulated.of("CGMY", number) for number in (3, 3, 4))
    assert first.truth == again.truth
    np.testing.assert_array_equal(first.posterior.quotes.price, again.posterior.quotes.price)
    assert first.truth != other.truth


@pytest.mark.parametrize(
    ("distort", "detected"),
    [
        (lambda x: x, False),
        (lambda x: x + 0.7, True),
        (lambda x: 0.5 * x, True),
        (lambda x: 2.0 * x, True),
    ],
    ids=["correct", "shifted", "too narrow", "too wide"],
)
def test_wrong_draws_are_detected(
    distort: Callable[[np.ndarray], np.ndarray], detected: bool
) -> None:
    rng = np.random.default_rng(7)
    truths, posteriors = rng.standard_normal(200), distort(rng.standard_normal((200, 1, 2000)))
    pairs = list(zip(truths.tolist(), posteriors, strict=True))
    level = Level.of(
        np.array([rank(truth, thinned(draws)) for truth, draws in pairs]),
        np.array([inside(truth, draws) for truth, draws in pairs]),
    )
    assert (level.p_value < 1e-3) is detected
    assert (abs(level.coverage - 0.9) > 0.05) is detected


def test_ranks_fill_bins_that_are_equally_likely() -> None:
    level = Level.of(np.arange(N_DRAWS + 1), np.ones(N_DRAWS + 1, dtype=bool))
    assert level.counts.tolist() == [(N_DRAWS + 1) // N_BINS] * N_BINS
    assert level.p_value == 1.0
    low, high = band(200)
    assert low < 20 < high


@pytest.mark.long
def test_the_page_contains_results_and_plots(ranked: list[dict[str, Any]], tmp_path: Any) -> None:
    page = tmp_path / "page.md"
    write_page({RUN: ranked}, page)
    text = page.read_text(encoding="utf-8")
    assert "## VarianceGamma by laplace-psis" in text
    assert "| theta | " in text
    assert "60 surfaces; " in text
    assert "Standard error of coverage: 3.9%" in text
    assert "common surfaces" not in text
    other = Run(RUN.model_type, "numpyro-nuts")
    write_page({RUN: ranked, other: ranked[:40]}, tmp_path / "both.md")
    both = (tmp_path / "both.md").read_text(encoding="utf-8")
    share = f"{np.mean([surface['inside']['nu'] for surface in ranked[:40]]):.1%}"
    assert f"| VarianceGamma | nu | 40 | {share} | {share} |" in both
    plot = tmp_path / "plots" / "sbc-VarianceGamma-laplace-psis.svg"
    drawn = plot.read_bytes()
    write_page({RUN: ranked}, page)
    assert plot.read_bytes() == drawn
