"""Submission: one task for each job, whatever the number of its requests."""

import asyncio
from typing import Any

import pytest

from levy_gateway.handlers.submit import PriorError, Submit, UnknownModelError
from levy_pricing.handlers.catalogue import catalogue
from levy_schemas.catalogue import Catalogue
from levy_schemas.jobs import BayesianRequest
from levy_schemas.surface import EXAMPLE_GRID

REQUEST = EXAMPLE_GRID | {"model_type": "VarianceGamma", "engine": "laplace-psis"}


class Fakes:
    """A job store, a task queue and a catalogue; the store has the job of one idempotency key."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    async def create(self, request: Any, *, key: str | None, **_: Any) -> tuple[str, bool]:
        self.created = request
        return ("earlier", False) if key == "monday" else ("new", True)

    async def send(self, job_id: str, queue: str) -> bool:
        self.sent.append((job_id, queue))
        return True

    async def fetch(self) -> Catalogue:
        return catalogue("1")


def submitted(fakes: Any, key: str | None = None, **changes: Any) -> str:
    request = BayesianRequest.model_validate(REQUEST | changes)
    submit = Submit(jobs=fakes, tasks=fakes, catalogue=fakes)
    return asyncio.run(submit(request, owner="desk", idempotency_key=key))


def test_a_new_job_is_sent_to_the_queue_of_its_engine() -> None:
    fakes = Fakes()
    assert submitted(fakes) == submitted(fakes, engine="numpyro-nuts") == "new"
    assert fakes.sent == [("new", "bayesian.short"), ("new", "bayesian.long")]


def test_a_repeated_request_returns_its_job_and_sends_nothing() -> None:
    fakes = Fakes()
    assert submitted(fakes, "monday") == "earlier"
    assert fakes.sent == []


def test_a_job_of_an_unknown_model_or_parameter_is_not_created() -> None:
    fakes = Fakes()
    with pytest.raises(UnknownModelError, match=r"Available models: .*VarianceGamma"):
        submitted(fakes, model_type="Heston")
    prior = {"kappa": {"distribution": "normal", "mu": 0.0, "sigma": 1.0}}
    with pytest.raises(PriorError, match="sigma, nu, theta"):
        submitted(fakes, priors=prior)
    assert fakes.sent == []


@pytest.mark.parametrize("alias", ["VG", "vg", "variancegamma"])
def test_a_job_has_the_name_of_the_model_that_an_alias_stands_for(alias: str) -> None:
    fakes = Fakes()
    submitted(fakes, model_type=alias)
    assert fakes.created.model_type == "VarianceGamma"
