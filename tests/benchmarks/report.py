"""Output of benchmarks: tables and JSON."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

PACKAGES = ("numpy", "scipy", "QuantLib", "pyfeng", "stochastic-rs")


@dataclass(frozen=True)
class Size:
    """Size of the benchmarks.

    Attributes
    ----------
    quick : bool
        Small sizes, to test that everything runs.
    surfaces : int
        Random surfaces on which each model is calibrated, unless `quick`.
    """

    quick: bool = False
    surfaces: int = 100


@dataclass
class Section:
    """A table; `columns` are the keys of each row."""

    title: str
    columns: tuple[str, ...]
    rows: list[dict[str, Any]] = field(default_factory=list)
    note: str = ""

    def add(self, *values: Any) -> None:
        """Append a row, values in the order of the columns."""
        self.rows.append(dict(zip(self.columns, values, strict=True)))

    def show(self, console: Console) -> None:
        """Print the table."""
        table = Table(title=self.title, title_justify="left", caption=self.note or None)
        for column in self.columns:
            table.add_column(column, justify="left" if column == self.columns[0] else "right")
        for row in self.rows:
            table.add_row(*(_shown(row[column]) for column in self.columns))
        console.print(table)


def machine(packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """Return the machine and the versions of the libraries measured."""
    return {
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "not limited"),
        "versions": {name: version(name) for name in packages},
    }


def write(sections: list[Section], path: Path, packages: Sequence[str] = PACKAGES) -> None:
    """Write everything as JSON, with the versions of the packages measured."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine(packages), "sections": [asdict(section) for section in sections]}
    path.write_text(json.dumps(document, indent=2) + "\n")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
