"""Every notebook runs in a fresh kernel; the repository keeps none of its outputs."""

from pathlib import Path

import nbformat
import pytest

from docs.site.execute import FOLDER, execute
from docs.site.notebooks import render

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.mark.system
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_its_page_shows_outputs(notebook: Path) -> None:
    executed = nbformat.read(execute(notebook), as_version=4)
    codes = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert any(cell.outputs for cell in codes)
    page = render(notebook).markdown
    assert "outputs are not shown" not in page
    assert page.count("```python") == len(codes)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(notebook: Path) -> None:
    content = nbformat.read(notebook, as_version=4)
    nbformat.validate(content)
    assert content.cells[0].cell_type == "markdown"
    for cell in content.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_figures_and_tables_of_outputs_become_parts_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = {"application/vnd.plotly.v1+json": {"data": [], "layout": {"title": "</script>"}}}
    cell = nbformat.v4.new_code_cell(
        "f()",
        outputs=[
            nbformat.v4.new_output("stream", text="printed\n"),
            nbformat.v4.new_output("display_data", data={"text/html": "<table border=1>\n  <td>1"}),
            nbformat.v4.new_output("display_data", data={"image/png": "UE5H"}),
            nbformat.v4.new_output("display_data", data=figure),
        ],
    )
    content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Title"), cell])
    executed = tmp_path / "executed" / "a.ipynb"
    executed.parent.mkdir()
    monkeypatch.setattr("docs.site.notebooks.EXECUTED", executed.parent)
    nbformat.write(content, executed)
    cell.outputs = []
    nbformat.write(content, tmp_path / "a.ipynb")
    page = render(tmp_path / "a.ipynb")
    assert "```text\nprinted\n```" in page.markdown
    assert "<table> <td>1" in page.markdown
    assert page.images == {"a-1-2.png": b"PNG"}
    assert "Plotly.newPlot" in page.markdown
    assert page.markdown.count("</script>") == 2  # the one of the title is escaped

    content.cells[1].source = "g()"
    nbformat.write(content, tmp_path / "a.ipynb")
    assert "outputs are not shown" in render(tmp_path / "a.ipynb").markdown
