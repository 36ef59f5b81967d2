"""Compilation and configuration of the sampling process before its first job."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog

from levy_bayesian import warmup
from levy_bayesian.handlers.run import SamplingOutput
from levy_bayesian.progress import ProgressCallback
from levy_bayesian.settings import BayesianSettings
from levy_schemas.jobs import BayesianRequest
from tests.bayesian.test_run import RESULT

ONE_JOB = """
import sys
from pathlib import Path
from levy_bayesian.settings import BayesianSettings
from levy_bayesian.warmup import Sampling
from levy_schemas.jobs import BayesianRequest
from levy_schemas.surface import EXAMPLE_GRID
assert "jax" not in sys.modules
sampling = Sampling(BayesianSettings(compiled=Path(sys.argv[1])))
request = EXAMPLE_GRID | {"model_type": "VarianceGamma", "engine": "laplace-psis"}
result, draws = sampling(BayesianRequest.model_validate(request), lambda share: None)
import jax
assert jax.config.jax_enable_x64
assert jax.config.jax_compilation_cache_dir == sys.argv[1]
print(result.draws, draws[:4])
"""


@pytest.mark.long
def test_jax_is_configured_by_the_first_job_and_not_before(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ONE_JOB, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split(maxsplit=1) == ["20000", "b'\\x89HDF'\n"]


TWO_JOBS = """
import sys
from pathlib import Path
from levy_bayesian.settings import BayesianSettings
from levy_bayesian.warmup import Sampling
from levy_schemas.jobs import BayesianRequest
from levy_schemas.surface import EXAMPLE_GRID
sampling = Sampling(BayesianSettings(compiled=Path(sys.argv[1])))
compiled = []
def on_duration(event, _seconds, **_):
    if event.endswith("backend_compile_duration"):
        compiled.append(event)
def job(move):
    prices = [[price + move for price in row] for row in EXAMPLE_GRID["prices"]]
    request = EXAMPLE_GRID | {"model_type": "VarianceGamma", "prices": prices}
    request |= {"num_chains": 2, "num_samples": 100, "num_warmup": 100}
    before = len(compiled)
    sampling(BayesianRequest.model_validate(request), lambda standing: None)
    return len(compiled) - before
from levy_bayesian.warmup import _prepare_jax
_prepare_jax(Path(sys.argv[1]))
import jax
jax.monitoring.register_event_duration_secs_listener(on_duration)
print(job(0.0), job(0.002))
"""


@pytest.mark.long
def test_a_second_job_of_like_size_compiles_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TWO_JOBS, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = map(int, done.stdout.split())
    assert first > 0
    assert second == 0


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[BayesianRequest]:
    seen: list[BayesianRequest] = []

    def sampled(
        _self: Any, request: BayesianRequest, _progress: ProgressCallback
    ) -> SamplingOutput:
        seen.append(request)
        return RESULT, b""

    monkeypatch.setattr(warmup.Sampling, "__call__", sampled)
    return seen


def test_warm_up_samples_requests_of_the_usual_size(requests: list[BayesianRequest]) -> None:
    warmup.Sampling(BayesianSettings(warm=("VarianceGamma", "CGMY"))).warm()
    assert [request.model_type for request in requests] == ["VarianceGamma", "CGMY"]
    for request in requests:
        assert request.engine == "numpyro-nuts"
        assert sum(len(row) for row in request.prices or ()) == 200
        assert (request.num_chains, request.num_samples, request.num_warmup) == (4, 5000, 2000)


def test_an_unknown_model_is_reported_and_the_others_are_compiled(
    requests: list[BayesianRequest],
) -> None:
    with structlog.testing.capture_logs() as logged:
        warmup.Sampling(BayesianSettings(warm=("Nonsense", "NIG"))).warm()
    assert [(event["event"], event["model"]) for event in logged] == [
        ("worker.warm_up_failed", "Nonsense")
    ]
    assert [request.model_type for request in requests] == ["NIG"]
