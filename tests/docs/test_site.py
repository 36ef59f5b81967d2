"""The documentation site builds without warnings, is complete, and loads nothing from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.site import command_line as commands
from docs.site import http_api
from levy_cli.command_line import command_line

ROOT = Path(__file__).parents[2]
LOADED = re.compile(r'<(?:script|img|iframe)\b[^>]*\bsrc="(https?:)?//|<link\b[^>]*href="https?://')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "--quiet", "build", "--strict", "--site-dir", folder],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.long
def test_every_page_of_the_docs_is_in_the_site(site: Path) -> None:
    for page in (ROOT / "docs").glob("**/*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix(".html")
        built = name.with_name("index.html") if page.name == "README.md" else name
        assert (site / built).is_file(), built
    for page in (ROOT / "docs" / "notebooks").glob("*.ipynb"):
        assert (site / "notebooks" / f"{page.stem}.html").is_file()


@pytest.mark.long
def test_pages_load_nothing_from_other_hosts_and_formulas_are_rendered(site: Path) -> None:
    pages = {page: page.read_text() for page in site.glob("**/*.html")}
    assert len(pages) > 60
    for page, text in pages.items():
        assert not LOADED.search(text), page
        assert 'class="arithmatex"' not in text, page
    assert pages[site / "theory" / "models.html"].count("<math") > 30
    # Dollar signs of shells are not formulas.
    assert "<math" not in pages[site / "deployment.html"]


@pytest.mark.long
def test_links_to_files_of_the_repository_lead_to_copies(site: Path) -> None:
    page = (site / "deployment.html").read_text()
    assert 'href="source/deploy/redis/users.acl.example.txt"' in page
    copy = site / "source" / "deploy" / "redis" / "users.acl.example.txt"
    assert copy.read_text() == (ROOT / "deploy" / "redis" / "users.acl.example").read_text()


def test_every_operation_has_an_example_that_its_schema_accepts() -> None:
    page = http_api.page()
    api = http_api.document()
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            assert f"## {method.upper()} {path}\n" in page
            assert operation["description"]
    assert page.count("curl -s localhost:8000/") == sum(map(len, api["paths"].values()))
    order = [page.index(f"## POST {path}\n") for path in ("/quotes", "/calibrate", "/compare")]
    assert order == sorted(order)


def test_every_option_of_the_command_line_is_described() -> None:
    page = commands.page()
    for parser in commands.parsers(command_line()):
        assert f"## {parser.prog}\n" in page
        for action in parser._actions:
            for name in action.option_strings:
                assert name in {"-h", "--help"} or f"`{name}" in page
