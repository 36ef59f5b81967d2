"""What the dashboards ask of Prometheus, as Prometheus is asked."""

import json

from grafana.build import dashboard_files


def queries() -> dict[str, str]:
    """Every expression, with dashboard and panel to tell it by; variables mean everything."""
    return {
        f"{name.removesuffix('.json')}: {panel['title']} {target['refId']}": target["expr"].replace(
            "$model", ".*"
        )
        for name, text in dashboard_files().items()
        for panel in json.loads(text)["panels"]
        for target in panel.get("targets", ())
    }
