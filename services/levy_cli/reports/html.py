"""HTML of reports: one style, tables, and figures that need no network."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from levy_cli.output import sentence
from levy_surfaces.atomic_files import write_atomically

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_CONFIG: Final = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["lasso2d", "select2d"],
}


def write_page(template: str, path: str | Path, parts: Mapping[str, str]) -> None:
    """Write a report: `templates/page.html` around a template filled with parts, which are HTML.

    Parameters
    ----------
    template : str
        Name of the template.
    path : str or Path
        Output file.
    parts : mapping
        HTML by its name in the template.
    """
    folder = files("levy_cli.reports").joinpath("templates")
    content, page = (
        Template(folder.joinpath(name).read_text(encoding="utf-8"))
        for name in (template, "page.html")
    )
    style = folder.joinpath("page.css").read_text(encoding="utf-8")
    text = page.substitute(title=parts["title"], style=style, content=content.substitute(parts))
    write_atomically(path, text.encode())


def html_figure(figure: "Figure", *, with_library: bool = False) -> str:
    """Return a figure as HTML; the first of a page includes the library."""
    return str(figure.to_html(full_html=False, include_plotlyjs=with_library, config=_CONFIG))


def html_numbers(pairs: Iterable[tuple[str, str]]) -> str:
    """Return highlighted numbers, given as (value, name) pairs."""
    return "".join(
        f'<div class="figure"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
        for value, name in pairs
    )


def html_notes(warnings: Sequence[str]) -> str:
    """Return a box of warnings, empty if there are none."""
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(sentence(w))}</li>" for w in warnings)
    return f'<section class="notes"><ul>{items}</ul></section>'


def html_table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Iterable[int] = (),
    text: Iterable[int] = (),
) -> str:
    """Return a table; columns in `numbers` are right-aligned, those in `text` may wrap."""
    right, wrapped = set(numbers), set(text)

    def cell(tag: str, i: int, value: str) -> str:
        kind = "number" if i in right else "text" if i in wrapped and tag == "td" else ""
        return f'<{tag} class="{kind}">{escape(value)}</{tag}>'

    top = "".join(cell("th", i, name) for i, name in enumerate(head))
    body = "".join(
        f"<tr>{''.join(cell('td', i, value) for i, value in enumerate(row))}</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
