"""Notebooks as pages: cells, and outputs if the notebook has been executed by `make notebooks`."""

import base64
import json
import re
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
EXECUTED: Final = ROOT / "build" / "notebooks"
PLOTLY_PATH: Final = "notebooks/plotly.js"

_PLOTLY: Final = "application/vnd.plotly.v1+json"
_NOT_EXECUTED: Final = (
    "!!! note\n    This site was built without `make notebooks`: outputs are not shown.\n"
)
_FIGURE: Final = """\
<div class="levy-figure" id="{name}"></div>
<script src="plotly.js"></script>
<script>
{{
  const figure = {figure};
  Plotly.newPlot("{name}", figure.data, figure.layout, {{responsive: true, displaylogo: false}});
}}
</script>
"""


@dataclass
class Rendered:
    """A page, and its images by name."""

    markdown: str
    images: dict[str, bytes] = field(default_factory=dict)


def plotly_script() -> str:
    """Return the library that draws figures, which the site serves itself."""
    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def render(notebook: Path) -> Rendered:
    """Return the page of a notebook in `docs/notebooks`."""
    executed = EXECUTED / notebook.name
    source = executed if _is_current(notebook, executed) else notebook
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    page = Rendered("")
    parts = []
    for number, cell in enumerate(cells):
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(text)
            continue
        parts.append(f"```python\n{text}\n```")
        for place, output in enumerate(cell["outputs"]):
            parts.append(_output(output, f"{notebook.stem}-{number}-{place}", page.images))
    if source is notebook:
        parts.insert(1, _NOT_EXECUTED)
    page.markdown = "\n\n".join(filter(None, parts)) + "\n"
    return page


def _is_current(notebook: Path, executed: Path) -> bool:
    """Return whether the executed notebook has the cells of the notebook."""
    return executed.exists() and _sources(executed) == _sources(notebook)


def _sources(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells]


def _output(output: dict[str, Any], name: str, images: dict[str, bytes]) -> str:
    if output["output_type"] == "stream":
        return _text("".join(output["text"]))
    data = output.get("data", {})
    if _PLOTLY in data:
        return _FIGURE.format(name=name, figure=json.dumps(data[_PLOTLY]).replace("</", "<\\/"))
    if "image/png" in data:
        images[f"{name}.png"] = base64.b64decode(data["image/png"])
        return f"![Output of the cell above]({name}.png)"
    if "text/html" in data:
        # Without classes, tables look like those of pages; Markdown reads indented lines as code.
        table = re.sub(r"<table\b[^>]*>", "<table>", "".join(data["text/html"]))
        return re.sub(r"\s*\n\s*", " ", table)
    return _text("".join(data.get("text/plain", "")))


def _text(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```" if text.strip() else ""
