"""The pages of `docs/how-to` are followed literally in a copy of the checkout.

A code block after a paragraph that ends in "Create `PATH`:" becomes that file, a `diff` block after
"In `PATH`:" is applied to it, and `bash` blocks are run, all in the order of the page.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.shell import Session

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "how-to").glob("add-*.md"))
STEP = re.compile(
    r"(?:(?P<action>Create|In) `(?P<path>[^`]+)`:\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def follow(page: str, folder: Path, run: Callable[[str], object]) -> None:
    """Carry out the steps of a page in `folder`; `run` gets its commands."""
    for step in STEP.finditer(page):
        path = folder / step["path"] if step["path"] else None
        if step["action"] == "Create":
            assert path is not None
            assert not path.exists(), f"{path} exists already"
            path.write_text(step["text"])
        elif step["language"] == "diff":
            assert path is not None, f"a change of which file?\n{step['text']}"
            path.write_text(changed(path.read_text(), step["text"]))
        elif step["language"] == "bash":
            run(step["text"])


def changed(text: str, diff: str) -> str:
    """Apply a diff whose parts are separated by lines of `@@`, and found by their own lines."""
    for part in re.split(r"^@@.*\n", diff, flags=re.MULTILINE):
        lines = part.splitlines(keepends=True)
        before, after = ("".join(line[1:] for line in lines if line[0] != sign) for sign in "+-")
        assert text.count(before) == 1, f"not once in the file:\n{before}"
        text = text.replace(before, after)
    return text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_files_and_changes_of_a_page_fit_the_checkout(page: Path, tmp_path: Path) -> None:
    """The quick part of the test below: commands are not run."""
    for step in STEP.finditer(page.read_text()):
        if step["path"]:
            path = tmp_path / step["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            if step["action"] == "In":
                path.write_text((ROOT / step["path"]).read_text())
            assert step["action"] == "In" or not (ROOT / step["path"]).exists()
    follow(page.read_text(), tmp_path, lambda _commands: None)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_can_be_followed_literally(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The environment has the packages of the checkout installed, not those of the copy.
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'libs'}:{tmp_path / 'services'}")
    with Session.of_checkout(ROOT, tmp_path) as session:
        follow(page.read_text(), tmp_path, lambda commands: session.run("bash", commands))


def test_steps_are_carried_out_in_their_order(tmp_path: Path) -> None:
    page = (
        "Create `a.py`:\n\n```python\none\ntwo\n```\n\n"
        "In `a.py`:\n\n```diff\n one\n-two\n+three\n```\n\n```bash\ncat a.py\n```\n"
    )
    commands: list[str] = []
    follow(page, tmp_path, commands.append)
    assert (tmp_path / "a.py").read_text() == "one\nthree\n"
    assert commands == ["cat a.py\n"]


def test_a_diff_that_does_not_apply_is_rejected() -> None:
    assert changed("a\nb\nc\nd\n", " a\n+x\n@@\n c\n-d\n") == "a\nx\nb\nc\n"
    with pytest.raises(AssertionError, match="not once"):
        changed("a\na\n", " a\n+b\n")
