"""Fixtures: the page of a running engine, in Chromium."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from levy_surfaces.sample import sample_chain

CHROMIUM = shutil.which("chromium")
SCREENSHOTS = Path("build/page")
_AXE = Path(__file__).with_name("axe.min.js")
_MILLISECONDS = 60_000
"""Limit of each step; the first fit of a model compiles."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on the path")
    expect.set_options(timeout=_MILLISECONDS)
    with sync_playwright() as playwright:
        # Containers have neither a sandbox for it nor much shared memory.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser, running: Any) -> Iterator[Callable[..., Page]]:
    """Open the page; at the end of the test, no script may have failed or been blocked."""
    pages, errors = list[Page](), list[str]()

    def open_page(fragment: str = "", *, url: str = "", **options: Any) -> Page:
        page = browser.new_page(**({"viewport": {"width": 1280, "height": 900}} | options))
        page.set_default_timeout(_MILLISECONDS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if "Security Policy" in m.text else None)
        page.goto((url or running.url) + "/" + fragment)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert errors == []


@pytest.fixture(scope="session")
def chain() -> str:
    return sample_chain().to_csv(index=False)


def violations(page: Page) -> list[str]:
    """Return what axe finds wrong with the accessibility of what the page shows now."""
    # As a script of the browser, not of the page, so that the page's policy does not block it.
    page.evaluate(_AXE.read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run().then((results) => results.violations)")
    return [f"{rule['id']}: {node['html'][:150]}" for rule in found for node in rule["nodes"]]


def screenshot(page: Page, name: str) -> None:
    """Save what the page shows, to be looked at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def fit_example(page: Page) -> None:
    """Read and fit the example."""
    page.get_by_role("button", name="use the example").click()
    page.locator("#fit").click()
    page.locator("#fitted").get_by_role("heading", name="NIGSato fitted").wait_for()
    page.get_by_role("img", name="Implied density").wait_for()


def rows_of(page: Page, caption: str) -> list[list[str]]:
    """Return the cells of the body of a table, by its caption, once the page has drawn it."""
    body = page.get_by_role("region", name=caption, exact=True).first.locator("tbody tr")
    # A disclosure draws its table after the click that opens it, on the event "toggle".
    body.first.wait_for()
    return [row.locator("th, td").all_inner_texts() for row in body.all()]
