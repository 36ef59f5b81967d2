"""Commands of the documentation, run with the Compose stack."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.docs.console import PAGES, ROOT, commands
from tests.docs.shell import Session
from tests.system.composed.conftest import Stack

pytestmark = pytest.mark.system

SHOWN = [page for page in PAGES if commands(page)]

COMPOSE = """#!/bin/sh
# `docker compose` operates on the stack under test, and `up` on its running services;
# there is no terminal.
[ "$1" = compose ] || exec {docker} "$@"
shift
case $* in
  "up -d") set -- up -d {running} ;;
  exec*) shift && set -- exec -T "$@" ;;
esac
exec {compose} "$@"
"""


@pytest.fixture(scope="module")
def checkout(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the checkout, with a `docker` wrapper in `bin` for the stack."""
    folder = tmp_path_factory.mktemp("checkout")
    Session.of_checkout(ROOT, folder)
    running = stack.compose("ps", "--services", "--filter", "status=running").split()
    docker = folder / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(
        COMPOSE.format(
            docker=shlex.quote(os.environ["LEVY_STACK_DOCKER"]),
            compose=os.environ["LEVY_STACK_COMPOSE"],
            running=" ".join(running),
        )
    )
    docker.chmod(0o755)
    return folder


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.stem)
def test_every_command_of_a_page_works(stack: Stack, checkout: Path, page: Path) -> None:
    environment = {**os.environ, "PATH": f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    for command in commands(page):
        # A log search without matches is allowed; missing logs are an error.
        here = command.replace("http://127.0.0.1:8000", stack.url)
        done = subprocess.run(
            ["bash", "-c", f"{here}\nexit ${{PIPESTATUS[0]}}"],
            cwd=checkout,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
