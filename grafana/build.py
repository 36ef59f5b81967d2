"""Build all dashboards as the JSON files that Grafana provisions."""

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.bayesian import bayesian_jobs
from grafana.calibration import calibration_quality
from grafana.service import service

DASHBOARDS = (service, calibration_quality, bayesian_jobs)


def dashboard_files() -> dict[str, str]:
    """Return the content of each file by its name."""
    dashboards = [_numbered(build().build()) for build in DASHBOARDS]
    encoder = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False)
    return {f"{dashboard.uid}.json": encoder.encode(dashboard) + "\n" for dashboard in dashboards}


def _numbered(dashboard: Dashboard) -> Dashboard:
    """Number the panels, so that links to a panel are stable."""
    for number, panel in enumerate(dashboard.panels or (), start=1):
        panel.id_val = number
    return dashboard
