"""Commands at a prompt are run by the system tests, or marked as shown only."""

from tests.docs.console import PAGES, commands

RUN = {"curl", "docker", "make", "sed"}
"""Programs that `tests/system/composed/test_pages.py` can run with the stack."""


def test_every_command_is_run_or_marked_as_shown_only() -> None:
    shown = {command for page in PAGES for command in commands(page)}
    assert len(shown) > 30
    assert {command for command in shown if command.split()[0] not in RUN} == set()
