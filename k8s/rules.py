"""Prometheus' rules as a PrometheusRule, which kustomize cannot generate from files."""

from pathlib import Path

import yaml

_ROOT = Path(__file__).parents[1]
FILE = _ROOT / "k8s" / "components" / "watching" / "rules.yaml"


def prometheus_rule() -> str:
    """Return all groups of `prometheus/rules` as one resource."""
    files = sorted((_ROOT / "prometheus" / "rules").glob("*.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "levy"},
        "spec": {"groups": groups},
    }
    written = yaml.safe_dump(resource, sort_keys=False, allow_unicode=True, width=100)
    return f"# Generated from prometheus/rules by `make manifests`.\n{written}"
