"""The dashboards are up to date, complete, and query metrics that exist."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.build import dashboard_files
from tests.deploy.rules import ALERTS, OF_OTHERS, RECORDED, metrics_in, name_patterns

GRAFANA = Path(__file__).parents[2] / "grafana"
DASHBOARDS = {name: json.loads(text) for name, text in dashboard_files().items()}
PANELS = [
    pytest.param(panel, id=f"{name.removesuffix('.json')}: {panel['title']} {panel['id']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
]


def test_the_files_are_what_the_code_makes() -> None:
    there = {file.name: file.read_text() for file in (GRAFANA / "dashboards").glob("*")}
    assert there == dashboard_files(), "make manifests writes them anew"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_dashboards_have_unique_names_and_panels_do_not_overlap(name: str) -> None:
    dashboard = DASHBOARDS[name]
    assert name == f"{dashboard['uid']}.json"
    assert dashboard["title"]
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(numbers)) == len(numbers)
    taken = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in dashboard["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_a_title_a_description_and_a_unit(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": _source()["uid"]}
    named = {word.strip(".,:;") for word in panel["description"].split() if word[:4] == "Levy"}
    assert named <= {rule["alert"] for rule in ALERTS}


def _source() -> dict[str, Any]:
    (source,) = yaml.safe_load(
        (GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text()
    )["datasources"]
    return dict(source)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_queries_metrics_that_exist(panel: dict[str, Any], exposed: set[str]) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        metrics = metrics_in(target["expr"])
        assert metrics or name_patterns(target["expr"]), target["expr"]
        assert metrics <= exposed | RECORDED | OF_OTHERS, target["expr"]
        assert target["legendFormat"]
