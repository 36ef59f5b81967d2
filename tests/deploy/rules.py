"""Prometheus' rules, and the metrics that an expression uses."""

import re
from pathlib import Path

import yaml

PROMETHEUS = Path(__file__).parents[2] / "prometheus"
RULES = [
    rule
    for file in sorted((PROMETHEUS / "rules").glob("*.yml"))
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
OF_OTHERS = {"ALERTS", "up", "redis_up", "redis_memory_used_bytes", "redis_memory_max_bytes"}
"""Metrics of Prometheus itself and of the Redis exporter."""
OF_DESKS = {"model:levy_out_of_distribution:level"}
"""Metrics that a desk may record, as described in a runbook."""

_METRIC = re.compile(r"\b(?:(?:levy|redis|process)_\w+|ALERTS|up|[a-z_]+:\w+:\w+)\b")


def metrics_in(expression: str) -> set[str]:
    """Return the names of metrics in an expression, except those in quotes.

    Examples
    --------
    >>> sorted(metrics_in('levy_a{job="levy_b"} / on (job) up'))
    ['levy_a', 'up']
    """
    return set(_METRIC.findall(re.sub(r'"[^"]*"', "", expression)))


def sources(expression: str) -> set[str]:
    """Return the names of metrics that an expression uses, with recorded ones resolved."""
    recorded = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
    found: set[str] = set()
    for name in metrics_in(expression):
        found |= sources(recorded[name]) if name in recorded else {name}
    return found


def name_patterns(expression: str) -> list[str]:
    r"""Return the patterns with which an expression selects several metrics.

    Examples
    --------
    >>> name_patterns('rate({__name__=~"levy_.+"}[5m])')
    ['levy_.+']
    """
    return re.findall(r'__name__=~"([^"]+)"', expression)
