"""The PromQL queries of the dashboards."""

import json

from grafana.build import dashboard_files


def queries() -> dict[str, str]:
    """Return every query by dashboard and panel; variables match everything."""
    return {
        f"{name.removesuffix('.json')}: {panel['title']} {target['refId']}": target["expr"].replace(
            "$model", ".*"
        )
        for name, text in dashboard_files().items()
        for panel in json.loads(text)["panels"]
        for target in panel.get("targets", ())
    }
