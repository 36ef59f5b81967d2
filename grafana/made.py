"""All dashboards, as the files that Grafana is given."""

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.bayesian import bayesian_jobs
from grafana.calibration import calibration_quality
from grafana.service import service

DASHBOARDS = (service, calibration_quality, bayesian_jobs)


def made() -> dict[str, str]:
    """Name of each file, and what it holds."""
    built = [_numbered(dashboard().build()) for dashboard in DASHBOARDS]
    encoder = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False)
    return {f"{each.uid}.json": encoder.encode(each) + "\n" for each in built}


def _numbered(dashboard: Dashboard) -> Dashboard:
    """Give each panel a number of its own, by which links lead to it."""
    for number, panel in enumerate(dashboard.panels or (), start=1):
        panel.id_val = number
    return dashboard
