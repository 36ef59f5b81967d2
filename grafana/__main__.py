"""Write every dashboard to `grafana/dashboards`."""

from pathlib import Path

from grafana.build import dashboard_files

FOLDER = Path(__file__).parent / "dashboards"

if __name__ == "__main__":
    for name, text in dashboard_files().items():
        (FOLDER / name).write_text(text)
