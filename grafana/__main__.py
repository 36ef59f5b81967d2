"""Writes every dashboard to `grafana/dashboards`, as Grafana reads them."""

from pathlib import Path

from grafana.made import made

FOLDER = Path(__file__).parent / "dashboards"

if __name__ == "__main__":
    for name, text in made().items():
        (FOLDER / name).write_text(text)
