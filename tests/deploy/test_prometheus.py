"""Rules and alerts are correct and query metrics that exist."""

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.deploy.rules import (
    ALERTS,
    OF_DESKS,
    OF_OTHERS,
    PROMETHEUS,
    RECORDED,
    RULES,
    metrics_in,
    name_patterns,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_queries_metrics_that_exist(rule: dict[str, Any], exposed: set[str]) -> None:
    patterns = name_patterns(rule["expr"])
    for pattern in patterns:
        assert any(re.fullmatch(pattern, name) for name in exposed), pattern
    metrics = metrics_in(rule["expr"])
    assert metrics or patterns, "the expression does not use a metric"
    assert metrics <= exposed | RECORDED | OF_OTHERS | OF_DESKS


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
