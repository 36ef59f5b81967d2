"""Champion and challenger are compared on logged surfaces, with tests of significance."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from levy_calibration.audit_log import AuditLog, read_entries
from levy_calibration.governance.comparison import compare_networks
from levy_calibration.governance.logged_surfaces import logged_surfaces
from levy_calibration.handlers.calibrate import calibrate
from levy_cli.networks_compared import FEWEST, describe
from levy_numerics.errors import InvalidInputError
from levy_numerics.models import VarianceGamma
from levy_schemas.calibration import CalibrationRequest
from tests.calibration_service.proposers import Declining, Knowing, beside

N_SURFACES = 12


def log(folder: Path, body: dict[str, Any], n: int = N_SURFACES, **settings: Any) -> Path:
    """Log calibrations of n surfaces with different errors of prices."""
    rng = np.random.default_rng(3)
    audit = AuditLog(folder, **settings)
    prices = np.array(body["prices"])
    for _ in range(n):
        noisy = prices * (1.0 + 0.002 * rng.standard_normal(prices.shape))
        request = CalibrationRequest.model_validate(
            body | {"prices": [[float(p) for p in row] for row in noisy]}
        )
        for _ in range(2):
            calibrate(request, engine_version="1", record=audit.write, n_starts=1)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, grid_request: dict[str, Any]) -> Path:
    return log(tmp_path_factory.mktemp("audit"), grid_request | {"uncertainty": "none"})


@pytest.mark.long
def test_the_better_network_is_found_and_the_difference_is_significant(
    folder: Path, truth: VarianceGamma
) -> None:
    surfaces = logged_surfaces(read_entries(folder), "VarianceGamma")
    assert len(surfaces) == N_SURFACES  # each was logged twice
    near = Knowing(beside(truth, 0.01), version="near")
    far = Knowing(beside(truth, 0.1), version="far")
    compared = compare_networks(far, near, surfaces)
    assert np.all(compared.challenger.start_bp < compared.champion.start_bp)
    # Both lead to the optimum of each surface.
    np.testing.assert_allclose(compared.challenger.fit_bp, compared.champion.fit_bp, rtol=1e-3)
    better = describe(compared, ("far", "near"))
    assert better["losses"]["start_bp"]["p_wilcoxon"] == pytest.approx(2.0 / 2**N_SURFACES)
    assert better["losses"]["start_bp"]["diebold_mariano"] > 0.0
    assert "initial guess, bp: the challenger is significantly better" in better["verdict"]
    worse = describe(compare_networks(near, far, surfaces), ("near", "far"))
    assert "initial guess, bp: the challenger is significantly worse" in worse["verdict"]


@pytest.mark.long
def test_equal_networks_and_few_surfaces_make_no_difference(
    folder: Path, truth: VarianceGamma
) -> None:
    surfaces = logged_surfaces(read_entries(folder), "VarianceGamma")
    near, same = (Knowing(beside(truth, 0.01), version=name) for name in ("near", "same"))
    equal = describe(compare_networks(near, same, surfaces), ("near", "same"))
    assert equal["losses"]["start_bp"]["p_wilcoxon"] == 1.0
    assert "no significant difference" in equal["verdict"]
    few = describe(compare_networks(near, same, surfaces[: FEWEST - 1]), ("near", "same"))
    assert "too few" in few["verdict"]


def test_surfaces_that_a_network_does_not_read_are_left_out(
    folder: Path, truth: VarianceGamma
) -> None:
    surfaces = logged_surfaces(read_entries(folder), "VarianceGamma")
    with pytest.raises(InvalidInputError, match="no surface is read by both"):
        compare_networks(Knowing(truth), Declining(truth), surfaces)


def test_a_log_without_requests_or_of_other_models_cannot_be_used(
    folder: Path, tmp_path: Path, grid_request: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInputError, match="no calibration of NIG"):
        logged_surfaces(read_entries(folder), "NIG")
    hashed = log(tmp_path / "hashed", grid_request, 1, with_requests=False)
    with pytest.raises(InvalidInputError, match="only hashes"):
        logged_surfaces(read_entries(hashed), "VarianceGamma")
