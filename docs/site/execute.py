"""Run the notebooks of `docs/notebooks`; `make notebooks` writes them with outputs to `build`."""

import sys
from pathlib import Path
from typing import Final

import nbformat
from nbclient import NotebookClient

from docs.site.notebooks import EXECUTED, ROOT

FOLDER: Final = ROOT / "docs" / "notebooks"
CELL_SECONDS: Final = 600


def execute(notebook: Path) -> Path:
    """Run a notebook in a fresh kernel and return the path of the copy with outputs.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        A cell raised an exception.
    """
    content = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(content, timeout=CELL_SECONDS, kernel_name="python3").execute()
    EXECUTED.mkdir(parents=True, exist_ok=True)
    path = EXECUTED / notebook.name
    nbformat.write(content, path)  # type: ignore[no-untyped-call]
    return path


if __name__ == "__main__":
    for notebook in sorted(FOLDER.glob("*.ipynb")):
        sys.stdout.write(f"{execute(notebook).relative_to(ROOT)}\n")
        sys.stdout.flush()
