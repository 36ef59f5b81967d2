"""Hooks of the documentation site: generated pages, links to files of the repository, formulas.

MkDocs calls the functions `on_*`; https://www.mkdocs.org/dev-guide/plugins describes them.
"""

import html
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, Final

import latex2mathml.converter
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parents[2]
# The packages of this checkout, from which reference pages are generated, and this one.
sys.path[:0] = [str(ROOT), str(ROOT / "libs"), str(ROOT / "services")]

from docs.site import command_line, http_api, notebooks, python_api  # noqa: E402

TOP_LEVEL_PAGES: Final = ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages outside of `docs` that belong to the site."""
SOURCES: Final = "source"
"""Folder of the site for other files of the repository that pages link to."""
GENERATED: Final[dict[str, Callable[[], str]]] = {
    "reference/http-api.md": http_api.page,
    "reference/command-line.md": command_line.page,
    "reference/python.md": python_api.page,
}

_LINK: Final = re.compile(r"(?P<start>\]\()(?P<path>(?![a-z]+:)[^)#\s]+)(?P<end>[^)]*\))")
_FORMULA: Final = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


def on_config(config: MkDocsConfig) -> None:
    """Expand folders in the navigation: an entry that ends in `/` lists the pages of a folder."""
    config.nav = _expanded(config.nav or [])


def _expanded(entries: list[Any]) -> list[Any]:
    expanded: list[Any] = []
    for entry in entries:
        if isinstance(entry, dict):
            ((title, content),) = entry.items()
            content = _pages_of(content) if isinstance(content, str) else _expanded(content)
            expanded.append({title: content})
        else:
            expanded.append(entry)
    return expanded


def _pages_of(path: str) -> str | list[str]:
    """Return the pages of a folder, that which introduces them first; or the path of a page."""
    if not path.endswith("/"):
        return path
    folder = ROOT / "docs" / path
    pages = sorted(
        [*folder.glob("*.md"), *folder.glob("*.ipynb")],
        key=lambda page: (page.name not in {"README.md", "index.md"}, page.name),
    )
    return [path + page.with_suffix(".md").name for page in pages]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add generated pages, notebooks, pages of the top level, and files that pages link to."""
    for name, page in GENERATED.items():
        files.append(File.generated(config, name, content=page()))
    for name in TOP_LEVEL_PAGES:
        files.append(File.generated(config, name, content=(ROOT / name).read_text()))
    for source in [file for file in files if file.src_uri.endswith(".ipynb")]:
        rendered = notebooks.render(ROOT / "docs" / source.src_uri)
        name = str(PurePosixPath(source.src_uri).with_suffix(".md"))
        files.append(File.generated(config, name, content=rendered.markdown))
        for image, content in rendered.images.items():
            path = str(PurePosixPath(source.src_uri).parent / image)
            files.append(File.generated(config, path, content=content))
    if any(file.src_uri.endswith(".ipynb") for file in files):
        path = notebooks.PLOTLY_PATH
        files.append(File.generated(config, path, content=notebooks.plotly_script()))
    linked = {
        target
        for file in files.documentation_pages()
        for link in _LINK.finditer(file.content_string)
        if (target := _linked_file(file.src_uri, link["path"])) is not None
    }
    for target in sorted(linked):
        content = (ROOT / target).read_bytes()
        # As text, so that browsers show it instead of saving it.
        files.append(File.generated(config, f"{SOURCES}/{target}.txt", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to files of the repository to their place in the site."""

    def moved(link: re.Match[str]) -> str:
        target = _target(page.file.src_uri, link["path"])
        if target is None:
            return link[0]
        place = _place(target)
        start = PurePosixPath(page.file.src_uri).parent
        return link["start"] + os.path.relpath(place, start) + link["end"]

    return _LINK.sub(moved, markdown)


def on_page_content(html_text: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replace TeX by MathML, which browsers render without scripts or fonts."""

    def rendered(formula: re.Match[str]) -> str:
        display = "block" if formula["tag"] == "div" else "inline"
        tex = html.unescape(formula["tex"]).strip()
        return latex2mathml.converter.convert(tex, display=display)

    return _FORMULA.sub(rendered, html_text)


def _target(page: str, link: str) -> PurePosixPath | None:
    """Return the file that a page of the site links to, relative to the root of the repository.

    None if that is not a file or folder of the repository: a generated page, or an error, which
    MkDocs reports.
    """
    folder = PurePosixPath(page).parent
    base = ROOT if page in TOP_LEVEL_PAGES else ROOT / "docs" / folder
    path = Path(os.path.normpath(base / link))
    return PurePosixPath(path.relative_to(ROOT)) if path.exists() else None


def _place(target: PurePosixPath) -> str:
    """Return the place of a file of the repository in the site."""
    if target.parts[0] == "docs":
        inside = target.relative_to("docs")
        if (ROOT / target).is_dir():
            return str(inside / _introduction(ROOT / target))
        return str(inside.with_suffix(".md") if inside.suffix == ".ipynb" else inside)
    if str(target) in TOP_LEVEL_PAGES:
        return str(target)
    if str(target) == "README.md":
        return "index.md"
    return f"{SOURCES}/{target}.txt"


def _introduction(folder: Path) -> str:
    """Return the page of a folder to which a link to the folder leads."""
    names = sorted(page.name for page in folder.glob("*.md"))
    return next((name for name in ("index.md", "README.md") if name in names), names[0])


def _linked_file(page: str, link: str) -> str | None:
    """Return the file outside of the site that a page links to, if it does."""
    target = _target(page, link)
    if target is None or not _place(target).startswith(f"{SOURCES}/"):
        return None
    return str(target)
