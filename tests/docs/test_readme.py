"""Every command and program in README and docs runs and prints the output shown.

The blocks of a page run in order, in a copy of the checkout, with the environment of the tests on
PATH. A `bash` or `python` block is run; a `text` or `json` block right after it is its expected
output. A server that a block starts runs until the end of the page. A comment
`<!-- shown only: reason -->` exempts the next block; a block that uses LEVY_MARKET_DATA runs only
if that is set.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.shell import Session

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
    if path.parent.name != "how-to"  # see test_how_to
    and re.search(r"^```(bash|python)$", path.read_text(), re.MULTILINE)
)
MARKET_DATA = "LEVY_MARKET_DATA"
BLOCK = re.compile(
    r"(?P<exempt><!-- shown only: [^>]+-->\s*)?^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
TOKEN = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?|[^\W\d]+|\S")


@dataclass(frozen=True)
class Block:
    """A fenced block, and its output according to the page, if shown."""

    language: str
    text: str
    output: str | None


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page to run."""
    found = list(BLOCK.finditer(page.read_text()))
    runnable = []
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block["language"] not in {"bash", "python"} or block["exempt"]:
            continue
        shown = following if following and following["language"] in {"text", "json"} else None
        runnable.append(Block(block["language"], block["text"], shown and shown["text"]))
    return runnable


def shows(shown: str, printed: str) -> bool:
    """Return whether the printed output matches the page.

    Numbers may differ by 0.1%, and durations (numbers before ms, µs or s) arbitrarily; `…` on the
    page matches anything.
    """
    got = TOKEN.findall(printed)
    parts = [TOKEN.findall(part) for part in shown.split("…")]
    if len(parts) == 1:
        return len(parts[0]) == len(got) and agrees(parts[0], got)
    first, *between, last = parts
    position = len(first)
    if not agrees(first, got):
        return False
    for part in between:
        starts = range(position, len(got) - len(part) + 1)
        found = next((start for start in starts if agrees(part, got[start:])), None)
        if found is None:
            return False
        position = found + len(part)
    return len(got) - len(last) >= position and agrees(last, got[len(got) - len(last) :])


def agrees(shown: list[str], printed: list[str]) -> bool:
    """Return whether `printed` begins with the tokens shown."""
    durations = [following in {"ms", "µs", "s"} for following in [*shown[1:], ""]]
    return len(printed) >= len(shown) and all(
        same(a, b, duration=duration)
        for a, b, duration in zip(shown, printed, durations, strict=False)
    )


def same(shown: str, printed: str, *, duration: bool) -> bool:
    """Return whether two tokens are equal, within the tolerance for numbers."""
    try:
        a, b = float(shown), float(printed)
    except ValueError:
        return shown == printed
    return duration or abs(a - b) <= 1e-3 * max(abs(a), abs(b)) + 1e-12


@pytest.mark.system
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_blocks_of_a_page_print_what_it_shows(page: Path, tmp_path: Path) -> None:
    with Session.of_checkout(ROOT, tmp_path) as session:
        for block in blocks(page):
            if MARKET_DATA in block.text and MARKET_DATA not in os.environ:
                continue  # real quotes are not part of the project
            printed = session.run(block.language, block.text)
            if block.output is not None:
                assert shows(block.output, printed), f"{block.text}printed\n{printed}"


def test_a_page_that_shows_another_number_is_caught() -> None:
    assert shows("rmse 0.0123 in 4 ms, … done", "rmse 0.01231 in 7 ms, more, undone and done")
    assert not shows("rmse 0.0123", "rmse 0.0133")
    assert not shows("three rows", "three")
    assert not shows("three rows", "three rows and one")
    assert not shows("… three rows …", "three columns and four rows")


def test_a_block_and_the_output_after_it_are_one(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```bash\necho 1\n```\n\n```text\n1\n```\n<!-- shown only: x -->\n```bash\nrm\n```\n"
    )
    assert blocks(page) == [Block("bash", "echo 1\n", "1\n")]
