"""Rules and alerts: they do what they say, and ask for metrics that exist."""

import asyncio
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI

from levy_calibration.app import create_app as calibration
from levy_calibration.settings import CalibrationSettings
from levy_gateway.app import create_app as gateway
from levy_gateway.settings import GatewaySettings
from levy_pricing.app import create_app as pricing
from levy_pricing.settings import PricingSettings

PROMETHEUS = Path(__file__).parents[2] / "prometheus"
RULES = [
    rule
    for file in sorted((PROMETHEUS / "rules").glob("*.yml"))
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
OF_OTHERS = {"up", "redis_memory_used_bytes", "redis_memory_max_bytes"}


async def metrics_of(app: FastAPI) -> str:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return (await client.get("/metrics")).text


@pytest.fixture(scope="module")
def exposed() -> set[str]:
    """Names of all that our services count, as Prometheus will store them."""
    apps: list[FastAPI] = [
        gateway(GatewaySettings()),
        pricing(PricingSettings()),
        calibration(CalibrationSettings()),
    ]
    text = "\n".join(asyncio.run(metrics_of(app)) for app in apps)
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, flags=re.MULTILINE):
        suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        names |= {name + suffix for suffix in suffixes}
    return names


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_metrics_that_exist(rule: dict[str, Any], exposed: set[str]) -> None:
    patterns = re.findall(r'__name__=~"([^"]+)"', rule["expr"])
    for pattern in patterns:
        assert any(re.fullmatch(pattern, name) for name in exposed), pattern
    bare = re.sub(r'"[^"]*"', "", rule["expr"])
    recorded = {one["record"] for one in RULES if "record" in one}
    asked = set(re.findall(r"\b(?:levy_\w+|redis_\w+|[a-z_]+:\w+:\w+)\b", bare))
    assert asked or patterns or re.search(r"\bup\b", bare), "asks for nothing known"
    assert asked <= exposed | recorded | OF_OTHERS


def test_every_alert_is_driven_in_the_rules_own_tests() -> None:
    tests = yaml.safe_load((PROMETHEUS / "tests" / "alerts.yml").read_text())["tests"]
    fired = {
        case["alertname"]
        for test in tests
        for case in test.get("alert_rule_test", ())
        if case["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in ALERTS}


@pytest.mark.parametrize(
    "command", [("check", "config", "prometheus.yml"), ("test", "rules", "tests/alerts.yml")]
)
def test_promtool_agrees(command: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; Debian's package prometheus has it")
    done = subprocess.run(
        [promtool, *command], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
