"""Runbooks: one page per alert, which refers only to metrics, events and settings that exist."""

import json
import re
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from levy_bayesian.settings import BayesianSettings
from levy_calibration.settings import CalibrationSettings
from levy_gateway.settings import GatewaySettings
from levy_pricing.settings import PricingSettings
from levy_service.settings import ServiceSettings
from tests.deploy.rules import ALERTS, OF_OTHERS, PROMETHEUS, RECORDED, metrics_in

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
PAGES = sorted(RUNBOOKS.glob("*"))
HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Resolution"]
SETTINGS: dict[str, type[ServiceSettings]] = {
    "GATEWAY": GatewaySettings,
    "PRICING": PricingSettings,
    "CALIBRATION": CalibrationSettings,
    "BAYESIAN": BayesianSettings,
}


def queries(page: Path) -> list[str]:
    """Return the PromQL queries of a page, one per line."""
    fenced = re.findall(r"^```promql\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in fenced for line in block.splitlines()]


def test_every_alert_has_one_runbook() -> None:
    assert {page.name for page in PAGES} == {f"{rule['alert']}.md" for rule in ALERTS}
    for rule in ALERTS:
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{rule['alert']}.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_has_the_standard_sections_and_valid_links(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (RUNBOOKS / target).is_file(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_states_the_severity_of_its_alert(page: Path) -> None:
    severity = {rule["alert"]: rule["labels"]["severity"] for rule in ALERTS}[page.stem]
    assert page.read_text().splitlines()[2].startswith(f"Severity: {severity}. ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_queries_metrics_that_exist(page: Path, exposed: set[str]) -> None:
    assert queries(page)
    for query in queries(page):
        queried = metrics_in(query)
        assert queried, query
        assert queried <= exposed | RECORDED | OF_OTHERS, query


def test_prometheus_parses_every_query(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; Debian's package prometheus has it")
    expressions = sorted({query for page in PAGES for query in queries(page)})
    rules = [{"record": f"query:{n}", "expr": query} for n, query in enumerate(expressions)]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "runbooks", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_threshold_of_a_desk_silences_only_its_model(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; Debian's package prometheus has it")
    page = (RUNBOOKS / "LevyOutOfDistribution.md").read_text()
    (desk,) = re.findall(r"^ *```yaml\n(.*?)^ *```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "desk.yml").write_text(textwrap.dedent(desk))
    share = "model:levy_out_of_distribution:ratio15m"
    fires = {
        "exp_labels": {"model": "NIG", "severity": "ticket"},
        "exp_annotations": {
            "summary": "40% of NIG surfaces are out of distribution",
            "runbook_url": "docs/runbooks/LevyOutOfDistribution.md",
        },
    }
    case = {
        "interval": "1m",
        "input_series": [
            {"series": f'{share}{{model="{model}"}}', "values": "0.4x30"}
            for model in ("CGMY", "NIG")
        ],
        "alert_rule_test": [
            {"eval_time": "20m", "alertname": "LevyOutOfDistribution", "exp_alerts": [fires]}
        ],
    }
    rules = [str(PROMETHEUS / "rules" / "alerts.yml"), "desk.yml"]
    (tmp_path / "test.yml").write_text(json.dumps({"rule_files": rules, "tests": [case]}))
    done = subprocess.run(
        [promtool, "test", "rules", "test.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_log_events_named_in_runbooks_exist() -> None:
    sources = [*ROOT.glob("libs/**/*.py"), *ROOT.glob("services/**/*.py")]
    code = "\n".join(source.read_text() for source in sources)
    # The event may be on the line after the call; some calls go through a variable `log`.
    logged = set(re.findall(r"\b(?:_log\.\w+|log)\(\s*\"([a-z]+\.[a-z_]+)\"", code))
    kinds = "|".join(sorted({event.partition(".")[0] for event in logged}))
    named = {
        event
        for page in PAGES
        for event in re.findall(rf"\b(?:{kinds})\.[a-z_]+\b", page.read_text())
        if not event.endswith((".conf", ".md", ".yml"))
    }
    assert named, "no page names an event"
    assert named <= logged


def test_settings_named_in_runbooks_exist() -> None:
    named = {
        pair
        for page in PAGES
        for pair in re.findall(r"\bLEVY_([A-Z]+)_([A-Z_]+)\b", page.read_text())
    }
    assert named
    for service, name in named:
        assert name.lower() in SETTINGS[service].model_fields, f"LEVY_{service}_{name}"
