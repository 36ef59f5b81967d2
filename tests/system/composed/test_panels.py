"""Every panel of the dashboards has data in the Compose stack's Prometheus."""

import pytest

from tests.deploy.panels import queries
from tests.deploy.rules import metrics_in
from tests.system.composed.conftest import SURFACE, TO_PRICE, Stack

pytestmark = pytest.mark.system

WORTHLESS = [[12.09, 7.96, 4.44, 1.98, 900.0], *SURFACE["prices"][1:]]
ONLY_IN_TROUBLE = {
    "levy_gateway_redis_failures_total",
    "levy_gateway_requests_refused_total",
    "levy_calibration_drift_ks",
    "levy_calibration_drift_outside",
    "levy_calibration_drift_psi",
}
"""Metrics without data here; drift requires at least 200 surfaces."""


def test_every_panel_of_the_dashboards_finds_data(stack: Stack) -> None:
    """Except panels that show data only during outages."""
    expressions = {
        name: expression
        for name, expression in queries().items()
        if not metrics_in(expression) & ONLY_IN_TROUBLE
    }
    stack.client.post("/calibrate", json=SURFACE | {"uncertainty": "psis", "model_type": "CGMY"})
    stack.client.post("/calibrate", json=SURFACE | {"prices": WORTHLESS})
    stack.client.post("/price", json=TO_PRICE)
    chains = {"engine": "numpyro-nuts", "num_chains": 2, "num_samples": 300, "num_warmup": 300}
    job = stack.client.post("/calibrate/bayesian", json=SURFACE | chains).json()["job_id"]
    stack.wait(lambda: stack.ended(job) == "succeeded", 240)
    missing: dict[str, str] = expressions

    def all_found() -> bool:
        nonlocal missing
        missing = {name: each for name, each in missing.items() if not stack.query(each)}
        return not missing

    try:
        stack.wait(all_found, 90)
    except AssertionError:
        assert missing == {}
