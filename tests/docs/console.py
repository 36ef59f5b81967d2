"""Commands at a prompt in the documentation: lines of `console` blocks that start with `$ `."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "docs" / "deployment.md",
    ROOT / "docs" / "operations.md",
    *sorted((ROOT / "docs" / "runbooks").glob("*.md")),
]
_BLOCK = re.compile(
    r"(?P<exempt><!-- shown only: [^>]+-->\s*)?^```console\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def commands(page: Path) -> list[str]:
    """Return the commands of a page, except those marked as shown only."""
    return [
        line.removeprefix("$ ")
        for block in _BLOCK.finditer(page.read_text())
        if not block["exempt"]
        for line in block["text"].replace("\\\n", "").splitlines()
    ]
