"""Precompiled machine code is available to every process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Loops that the interpreter calls; those called by other loops only are part of their callers.
N_LOOPS = 27
_COUNT = """
from levy_numerics import implied_volatility, precompile
from levy_numerics.calibration import cluster_jackknife, fit_quality, identifiability
from levy_numerics.calibration import trust_region, moments, objective, weights
from levy_numerics.models import CGMY, NIG, Merton, VarianceGamma, compiled
from levy_numerics.pricing import integrand_factors, sinh_contour, sinh_kernel
precompile.main()
loops = [
    sinh_kernel.fourier_sums,
    sinh_contour.phase_factors,
    implied_volatility._fill,
    implied_volatility._fill_out_of_the_money,
    integrand_factors.set_rows,
    trust_region.judge,
    weights.set_weighted_errors,
    identifiability._decomposed,
    identifiability._scaled,
    identifiability._matrix,
    identifiability._variances,
    moments._standardised,
    cluster_jackknife.jackknife_covariance,
    fit_quality._summaries,
    *(objective.compiled_iterations(model) for model in (VarianceGamma, NIG, CGMY, Merton)),
    compiled._half_angles(Merton),
    *(each for model in (VarianceGamma, NIG, CGMY, Merton) for each in compiled._formulas(model)),
]
print(*(sum(loop.stats.cache_hits.values()) for loop in loops))
print(*(len(loop.signatures) for loop in loops))
"""


def warmed(cache: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _COUNT],
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.long
def test_the_second_process_compiles_nothing_and_each_loop_has_one_signature(
    tmp_path: Path,
) -> None:
    (cold, signatures), (warm, as_many) = warmed(tmp_path), warmed(tmp_path)
    one_each = ["1"] * N_LOOPS
    assert cold.split() == ["0"] * N_LOOPS
    assert signatures.split() == as_many.split() == warm.split() == one_each
