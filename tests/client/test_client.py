"""The Python client: requests, responses and retries."""

import asyncio
import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from levy_client import (
    AsyncClient,
    Client,
    JobCancelledError,
    NoResponseError,
    ProblemError,
    WaitTimeoutError,
)
from levy_schemas.calibration import MAX_SURFACES, CalibrationRequest, CalibrationResult
from levy_schemas.health import Health
from levy_schemas.pricing import PriceResult

Handler = Callable[[httpx.Request], httpx.Response]
Method = Callable[..., Any]

FITTED: dict[str, Any] = {
    "model_type": "BlackScholes",
    "parameters": {"sigma": 0.2},
    "status": "converged",
    "reason": "the gradient vanished",
    "calibration_time_ms": 1.5,
    "fit_quality": {
        "rmse": 0.0,
        "relative_error": 0.0,
        "implied_vol_rmse": 0.0,
        "aae": 0.0,
        "ape": 0.0,
        "n_quotes": 2,
    },
    "intervals": None,
    "singular_values": [1.0],
    "moments": {},
    "fit_by_maturity": [],
    "n_evaluations": 3,
    "method": "hybrid",
    "degraded": False,
    "model_version": "1",
}
PROBLEM: dict[str, Any] = {
    "type": "/problems/unknown-model",
    "title": "Unknown model",
    "status": 404,
    "detail": "no model is called X",
    "instance": "/calibrate",
    "code": "unknown-model",
    "request_id": "42",
}
SURFACE: dict[str, Any] = {
    "model_type": "BlackScholes",
    "spot_price": 100.0,
    "risk_free_rate": 0.05,
    "strikes": [90, 100],
    "maturities": [0.5],
    "prices": [[14.0, 7.0]],
}


def problem(status: int = 404, **headers: str) -> httpx.Response:
    content = json.dumps(PROBLEM | {"status": status}).encode()
    return httpx.Response(
        status, content=content, headers={"Content-Type": "application/problem+json", **headers}
    )


class Engine:
    """Returns the given responses in turn and records the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: list[httpx.Response | Exception] = []
        self.handler: Handler | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.handler is not None:
            return self.handler(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def engine() -> Engine:
    return Engine()


def recorded_sleeps(monkeypatch: pytest.MonkeyPatch, time_in: str, asyncio_in: str) -> list[float]:
    """Record the pauses of two modules; other threads of the process sleep as before."""
    seconds: list[float] = []

    async def sleep(duration: float) -> None:
        seconds.append(duration)

    clock = SimpleNamespace(sleep=seconds.append, monotonic=time.monotonic)
    monkeypatch.setattr(f"{time_in}.time", clock)
    monkeypatch.setattr(f"{asyncio_in}.asyncio", SimpleNamespace(sleep=sleep))
    return seconds


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    return recorded_sleeps(monkeypatch, "httpx_retries.retry", "httpx_retries.retry")


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest, engine: Engine) -> Method:
    """Call a method of the synchronous or asynchronous client by name."""
    transport = httpx.MockTransport(engine)

    def waiting(name: str, *args: Any, **kwargs: Any) -> Any:
        with Client("http://engine", api_key="levy_key", transport=transport) as client:
            return getattr(client, name)(*args, **kwargs)

    def awaited(name: str, *args: Any, **kwargs: Any) -> Any:
        async def run() -> Any:
            async with AsyncClient(
                "http://engine", api_key="levy_key", transport=transport
            ) as client:
                return await getattr(client, name)(*args, **kwargs)

        return asyncio.run(run())

    return waiting if request.param == "sync" else awaited


def test_a_surface_goes_out_and_a_typed_result_comes_back(call: Method, engine: Engine) -> None:
    engine.answers = [httpx.Response(200, json=FITTED)]
    result = call("calibrate", **SURFACE)
    assert isinstance(result, CalibrationResult)
    assert result.parameters == {"sigma": 0.2}
    (request,) = engine.requests
    assert (request.method, request.url.path) == ("POST", "/calibrate")
    assert request.headers["X-API-Key"] == "levy_key"
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.content)["prices"] == [[14.0, 7.0]]
    assert "quotes" not in json.loads(request.content)
    assert "Cache-Control" not in request.headers


def test_a_request_may_be_given_whole(call: Method, engine: Engine) -> None:
    engine.answers = [httpx.Response(200, json=FITTED)]
    call("calibrate", CalibrationRequest(**SURFACE), fresh=True, deadline_seconds=2.0)
    (request,) = engine.requests
    assert request.headers["Cache-Control"] == "no-cache"
    assert request.headers["X-Deadline-Seconds"] == "2.000"
    with pytest.raises(TypeError, match="not both: method"):
        call("calibrate", CalibrationRequest(**SURFACE), method="hybrid")


def test_an_invalid_request_is_rejected_before_it_is_sent(call: Method, engine: Engine) -> None:
    with pytest.raises(ValidationError, match="strikes"):
        call("calibrate", **SURFACE | {"strikes": ["90"]})
    assert engine.requests == []


def test_a_problem_is_raised_with_all_its_members(call: Method, engine: Engine) -> None:
    engine.answers = [problem()]
    with pytest.raises(
        ProblemError, match=r"unknown-model \(404\): no model is called X"
    ) as raised:
        call("calibrate", **SURFACE)
    assert raised.value.code == "unknown-model"
    assert raised.value.problem.request_id == "42"
    assert len(engine.requests) == 1


@pytest.mark.parametrize("status", [429, 502, 503])
def test_temporary_failures_are_retried_after_the_interval_of_the_engine(
    call: Method, engine: Engine, slept: list[float], status: int
) -> None:
    engine.answers = [
        problem(status, **{"Retry-After": "7"}),
        problem(status, **{"Retry-After": "3"}),
        httpx.Response(200, json=FITTED),
    ]
    assert call("calibrate", **SURFACE).status == "converged"
    assert slept == [7.0, 3.0]
    assert len({request.content for request in engine.requests}) == 1


def test_after_some_attempts_the_problem_is_raised(
    call: Method, engine: Engine, slept: list[float]
) -> None:
    engine.answers = [problem(503, **{"Retry-After": "1"})]
    with pytest.raises(ProblemError):
        call("calibrate", **SURFACE)
    assert len(engine.requests) == 4
    assert len(slept) == 3


def test_a_request_that_timed_out_is_not_retried(call: Method, engine: Engine) -> None:
    engine.answers = [problem(504)]
    with pytest.raises(ProblemError):
        call("calibrate", **SURFACE)
    engine.answers = [httpx.ReadTimeout("slow")]
    with pytest.raises(NoResponseError, match="/calibrate: slow"):
        call("calibrate", **SURFACE)
    assert len(engine.requests) == 2


def test_requests_to_a_starting_engine_are_retried(
    call: Method, engine: Engine, slept: list[float]
) -> None:
    engine.answers = [httpx.ConnectError("refused"), httpx.Response(200, json=FITTED)]
    assert call("calibrate", **SURFACE).status == "converged"
    assert len(slept) == 1


def test_an_unreachable_engine_raises_an_error(
    call: Method, engine: Engine, slept: list[float]
) -> None:
    engine.answers = [httpx.ConnectError("refused")]
    with pytest.raises(NoResponseError, match="refused"):
        call("models")
    assert len(slept) == 3


@pytest.mark.parametrize(
    ("status", "content", "media_type"),
    [
        (200, b"<html>", "text/html"),
        (200, b'{"parameters": {}}', "application/json"),
        (500, b"Internal Server Error", "text/plain"),
        (302, b"", "text/plain"),
        (404, b"{}", "application/problem+json"),
    ],
)
def test_an_invalid_response_raises_an_error(
    call: Method, engine: Engine, status: int, content: bytes, media_type: str
) -> None:
    headers = {"Content-Type": media_type}
    engine.answers = [httpx.Response(status, content=content, headers=headers)]
    with pytest.raises(NoResponseError):
        call("calibrate", **SURFACE)


def test_an_unhealthy_report_is_a_result_and_not_an_error(
    call: Method, engine: Engine, slept: list[float]
) -> None:
    engine.answers = [
        httpx.Response(503, json={"status": "unhealthy", "model_loaded": False, "services": {}})
    ]
    answer = call("health")
    assert isinstance(answer, Health)
    assert answer.status == "unhealthy"
    assert slept == []


def test_prices_are_typed(call: Method, engine: Engine) -> None:
    priced = {"prices": [[7.5]], "implied_vols": [[0.2]], "price_errors": [[None]]}
    engine.answers = [httpx.Response(200, json=priced)]
    result = call(
        "price",
        model_type="BlackScholes",
        parameters={"sigma": 0.2},
        spot_price=100,
        risk_free_rate=0.05,
        strikes=[100],
        maturities=[0.5],
    )
    assert isinstance(result, PriceResult)
    assert result.prices == ((7.5,),)


def in_batches(request: httpx.Request) -> httpx.Response:
    """Respond to a batch; spots above 150 are problems."""
    surfaces = json.loads(request.content)["surfaces"]
    answers = [
        {"problem": PROBLEM}
        if surface["spot_price"] > 150
        else {"result": FITTED | {"request_id": str(surface["spot_price"])}}
        for surface in surfaces
    ]
    return httpx.Response(200, json={"results": answers, "calibration_time_ms": 1.0})


def test_many_surfaces_go_in_as_few_calls_as_the_engine_allows(
    call: Method, engine: Engine
) -> None:
    engine.handler = in_batches
    small = [CalibrationRequest(**SURFACE | {"spot_price": 1.0 + i}) for i in range(150)]
    found = call("calibrate_many", small)
    sizes = [len(json.loads(request.content)["surfaces"]) for request in engine.requests]
    assert sizes == [MAX_SURFACES, MAX_SURFACES, 22]
    assert [one.request_id for one in found] == [str(1.0 + i) for i in range(150)]


def test_a_batch_weighs_no_more_than_the_gateway_reads(call: Method, engine: Engine) -> None:
    engine.handler = in_batches
    wide = SURFACE | {"strikes": [float(k) for k in range(50, 550)], "prices": [[1.234567] * 500]}
    assert len(call("calibrate_many", [CalibrationRequest(**wide)] * 60)) == 60
    weights = [len(request.content) for request in engine.requests]
    assert len(weights) == 2
    assert max(weights) <= 256 * 1024


def test_a_surface_that_cannot_be_fitted_does_not_sink_the_others(
    call: Method, engine: Engine
) -> None:
    engine.handler = in_batches
    surfaces = [CalibrationRequest(**SURFACE | {"spot_price": spot}) for spot in (100.0, 200.0)]
    fitted, refused = call("calibrate_many", surfaces)
    assert isinstance(fitted, CalibrationResult)
    assert isinstance(refused, ProblemError)
    assert refused.code == "unknown-model"


FOUND: dict[str, Any] = {
    "model_type": "BlackScholes",
    "engine": "laplace-psis",
    "parameters": {},
    "correlations": {},
    "predictive": [],
    "divergences": 0,
    "converged": True,
    "reason": "by decree",
    "draws": 1,
    "seconds": 0.1,
}


def stands(status: str, progress: float = 0.0, **more: Any) -> httpx.Response:
    content = {"job_id": "j", "status": status, "progress": progress} | more
    headers = {} if status in {"succeeded", "failed", "cancelled"} else {"Retry-After": "3"}
    return httpx.Response(200, json=content, headers=headers)


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    return recorded_sleeps(monkeypatch, "levy_client.sync", "levy_client.aio")


def test_a_submission_that_is_tried_again_is_the_same_job(
    call: Method, engine: Engine, slept: list[float]
) -> None:
    accepted = httpx.Response(202, json={"job_id": "j", "status_url": "/calibrate/bayesian/j"})
    engine.answers = [problem(503, **{"Retry-After": "7"}), accepted]
    assert call("sample", engine="laplace-psis", **SURFACE).job_id == "j"
    assert slept == [7.0]
    keys = [request.headers["Idempotency-Key"] for request in engine.requests]
    assert keys[0] == keys[1]
    call("sample", **SURFACE)
    call("sample", idempotency_key="mine", **SURFACE)
    last = [request.headers["Idempotency-Key"] for request in engine.requests[2:]]
    assert last[0] != keys[0]
    assert last[1] == "mine"


def test_wait_polls_at_the_interval_of_the_engine_and_reports_progress(
    call: Method, engine: Engine, waited: list[float]
) -> None:
    engine.answers = [
        stands("queued"),
        stands("running", 0.4),
        stands("succeeded", 1.0, result=FOUND),
    ]
    raised: list[tuple[str, float]] = []
    found = call("wait", "j", on_progress=lambda job: raised.append((job.status, job.progress)))
    assert found.reason == "by decree"
    assert raised == [("queued", 0.0), ("running", 0.4), ("succeeded", 1.0)]
    assert waited == [3.0, 3.0]
    assert {request.url.path for request in engine.requests} == {"/calibrate/bayesian/j"}


def test_a_job_that_failed_raises_its_problem(call: Method, engine: Engine) -> None:
    engine.answers = [stands("failed", problem=PROBLEM)]
    with pytest.raises(ProblemError, match="unknown-model"):
        call("wait", "j")


def test_a_cancelled_job_has_the_status_cancelled(call: Method, engine: Engine) -> None:
    engine.answers = [stands("cancelled")]
    assert call("cancel", "j").status == "cancelled"
    assert engine.requests[0].method == "DELETE"
    with pytest.raises(JobCancelledError):
        call("wait", "j")


def test_waiting_has_an_end_if_it_is_given_one(
    call: Method, engine: Engine, waited: list[float]
) -> None:
    engine.answers = [stands("running", 0.4)]
    with pytest.raises(WaitTimeoutError, match="within 2 s and continues"):
        call("wait", "j", seconds=2.0)
    assert waited == []


def test_draws_come_as_they_are(call: Method, engine: Engine) -> None:
    engine.answers = [httpx.Response(200, content=b"\x89HDF", headers={"Content-Type": "x"})]
    assert call("draws", "j") == b"\x89HDF"
    assert engine.requests[0].url.path == "/calibrate/bayesian/j/inference-data"
    engine.answers = [problem(409)]
    with pytest.raises(ProblemError):
        call("draws", "j")


def test_the_name_of_a_job_is_one_step_of_a_path(call: Method, engine: Engine) -> None:
    engine.answers = [stands("queued")]
    call("job", "../models")
    assert engine.requests[0].url.raw_path == b"/calibrate/bayesian/..%2Fmodels"
