"""Mutated requests: the gateway with the real services never returns an internal error.

A request is a valid one with keys removed, repeated or renamed, numbers at the edge of double
precision, arrays resized, types swapped, or bytes cut. Whole: `-m slow`, 10,000 requests.
"""

import json
import random
import sys
from collections import Counter
from copy import deepcopy
from itertools import cycle
from typing import Any, Final

import pytest
from fastapi.testclient import TestClient

from levy_numerics import models, pricing
from levy_schemas.problems import MEDIA_TYPE, PROBLEMS

JSON: Final = {"Content-Type": "application/json"}
EDGES: Final = (
    *(0, -1, 1, 2, 0.5, -0.0, 1e-6, 1e-4, 1e-12, 5e-324, 1e-300, 1e300, 1e308, 1e6, 1e9, 1e10),
    *(0.999999, 1.0000001, 1.9999999, 2**53 + 1, 2**63, 10**30, -1e6, 50, 50.1, 1e-5, 100),
)
SCALES: Final = (*(-1.0, 0.0, 1e-30, 1e-9, 1e-3, 0.1, 0.5, 0.9, 1.1, 2.0), *(5.0, 30.0, 1e3, 1e9))
OTHERS: Final = (None, True, False, "", "1", "call", "NaN", "sinh", [], {}, [[]], [1.0], {"a": 1})
SURFACE: Final[dict[str, Any]] = {
    "spot_price": 100.0,
    "risk_free_rate": 0.05,
    "dividend_yield": 0.01,
    "strikes": [90.0, 100.0, 110.0],
    "maturities": [0.25, 1.0],
    "prices": [[11.7, 4.4, 0.9], [16.9, 10.5, 5.9]],
}
QUOTED: Final[dict[str, Any]] = {
    "spot_price": 100.0,
    "risk_free_rate": 0.05,
    "quotes": [
        {"strike": 90.0, "maturity": 0.5, "price": 13.4, "option_type": "call"},
        {"strike": 95.0, "maturity": 0.5, "price": 1.9, "option_type": "put"},
        {"strike": 100.0, "maturity": 0.5, "price": 6.9, "bid": 6.8, "ask": 7.0},
        {"strike": 110.0, "maturity": 0.5, "price": 2.6, "option_type": "call"},
    ],
}
VALID: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    *(
        (
            "/price",
            {
                "model_type": name,
                "parameters": models.get(name).example().as_mapping(),
                **{k: v for k, v in SURFACE.items() if k != "prices"},
                "option_type": "put",
                "method": method,
                "greeks": True,
            },
        )
        for name, method in zip(models.names(), cycle(pricing.methods()), strict=False)
    ),
    ("/calibrate", {"model_type": "VarianceGamma", **SURFACE, "weights": "vega"}),
    ("/calibrate", {"model_type": "BlackScholes", **SURFACE, "per_maturity": True}),
    ("/calibrate", {"model_type": "BlackScholes", **QUOTED, "uncertainty": "none"}),
    ("/calibrate", {"model_type": "NIG", **QUOTED, "method": "least_squares"}),
    ("/compare", {"models": ["BlackScholes", "VarianceGamma"], **SURFACE}),
    ("/compare", {"models": ["BlackScholes"], **QUOTED, "holdout": False}),
    (
        "/calibrate/bayesian",
        {
            "model_type": "VarianceGamma",
            "engine": "laplace-psis",
            **SURFACE,
            "priors": {"nu": {"distribution": "lognormal", "mu": -1.0, "sigma": 0.5}},
            "num_samples": 500,
            "seed": 1,
        },
    ),
)


class Mutation:
    """One mutated request, reproducible from its seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.path, valid = self._random.choice(VALID)
        document: Any = deepcopy(valid)
        only_numbers = self._random.random() < 0.6
        for _ in range(self._random.choice((1, 1, 1, 2, 3))):
            document = self._scaled(document) if only_numbers else self._changed(document)
        text = json.dumps(document)
        if only_numbers:
            self.body = text.encode()
            return
        if self._random.random() < 0.1:
            text = self._with_a_key_twice(text)
        self.body = text.encode()
        if self._random.random() < 0.1:
            self.body = self._cut(self.body)

    def _scaled(self, document: Any) -> Any:
        """Change a random number, which often leaves the request well formed."""
        numbers, remaining = [], [document]
        while remaining:
            parent = remaining.pop()
            for key, value in parent.items() if isinstance(parent, dict) else enumerate(parent):
                if isinstance(value, dict | list):
                    remaining.append(value)
                elif isinstance(value, int | float) and not isinstance(value, bool):
                    numbers.append((parent, key))
        parent, key = self._random.choice(numbers)
        kept = self._random.random() < 0.9
        parent[key] = parent[key] * self._random.choice(SCALES) if kept else 1.0
        return document

    def _changed(self, document: Any) -> Any:
        """Change the document at a random place."""
        at, steps = document, []
        while isinstance(at, dict | list) and at and (not steps or self._random.random() < 0.75):
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            steps.append((at, self._random.choice(keys)))
            at = at[steps[-1][1]]
        if not steps:
            return deepcopy(self._random.choice(OTHERS))
        parent, key = steps[-1]
        kinds = ("edge", "other", "remove", "rename", "resize")
        kind = self._random.choice(kinds)
        if kind == "remove":
            del parent[key]
        elif kind == "rename" and isinstance(parent, dict):
            parent[self._random.choice((f"{key}s", key.upper(), "", "x:y", "é"))] = parent.pop(key)
        elif kind == "resize" and isinstance(at, list):
            parent[key] = at * self._random.choice((0, 2, 40)) or [[]] * 3
        elif kind == "other":
            parent[key] = deepcopy(self._random.choice(OTHERS))
        else:
            parent[key] = self._random.choice(EDGES)
        return document

    def _with_a_key_twice(self, text: str) -> str:
        at = [k for k, letter in enumerate(text) if letter == "{"]
        if not at:
            return text
        k = self._random.choice(at) + 1
        return text[:k] + '"model_type": "NIG", "model_type": "CGMY", ' + text[k:]

    def _cut(self, body: bytes) -> bytes:
        k = self._random.randrange(len(body) + 1)
        middle = self._random.choice((b"", b"\xff", b"NaN", b"1e999", b"\x00", b"[", b"\\ud800"))
        return body[:k] + middle + body[k + self._random.choice((0, 1, 7)) :]


def send(client: TestClient, seeds: range, logged: list[Any]) -> Counter[str]:
    """Send mutations and count the responses by path and status."""
    outcomes = Counter[str]()
    for seed in seeds:
        request = Mutation(seed)
        answer = client.post(request.path, content=request.body, headers=JSON)
        place = (seed, request.path, request.body, answer.text)
        outcomes[f"{request.path} {answer.status_code}"] += 1
        assert answer.status_code < 500, place
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == MEDIA_TYPE, place
            problem = answer.json()
            assert PROBLEMS[problem["code"]].status == answer.status_code, place
            assert len(problem["detail"]) > 10, place
        else:
            assert json.loads(answer.text, parse_constant=str) == json.loads(answer.text), place
        failures = [event for event in logged if event.get("exc_info")]
        assert not failures, place
        logged.clear()
    return outcomes


@pytest.mark.parametrize(("path", "body"), VALID)
def test_what_is_mutated_is_valid(client: TestClient, path: str, body: dict[str, Any]) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code in {200, 202}, answer.text


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_mutated_requests_return_a_result_or_a_problem(
    client: TestClient, logged: list[Any], first: int
) -> None:
    outcomes = send(client, range(first, first + 100), logged)
    assert sum(outcomes.values()) == 100
    assert {outcome[-3:] for outcome in outcomes} >= {"200", "422"}


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 10_000, 1000))
def test_ten_thousand_mutated_requests_return_a_result_or_a_problem(
    client: TestClient, logged: list[Any], first: int
) -> None:
    outcomes = send(client, range(first, first + 1000), logged)
    sys.stdout.write(f"{sorted(outcomes.items())}\n")
