"""Single containers: behaviour, restrictions and image labels."""

import os
from collections.abc import Iterator

import httpx
import pytest
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.wait_strategies import HealthcheckWaitStrategy

from tests.system.composed.conftest import SERVICES, TO_PRICE

pytestmark = pytest.mark.system

PORT = 8000
STOP_SECONDS = 15
MAX_MB = {"gateway": 480, "pricing": 660, "calibration": 1000, "bayesian": 1600}
"""Sizes of the images on Debian's base, plus 10%."""


@pytest.fixture(scope="module", autouse=True)
def _images() -> None:
    if "LEVY_STACK_URL" not in os.environ:
        pytest.skip("no images here: make system builds and tests them")
    # The clean-up helper of testcontainers is an image in a registry.
    testcontainers_config.ryuk_disabled = True


@pytest.fixture(scope="module")
def docker() -> Iterator[DockerClient]:
    client = DockerClient()
    yield client
    client.client.close()


def confined(service: str, **settings: str) -> DockerContainer:
    """With the restrictions of the compose file."""
    prefix = f"LEVY_{service.upper()}_"
    container = DockerContainer(
        f"levy/{service}:dev", read_only=True, cap_drop=["ALL"], mem_limit="1g"
    )
    container.with_tmpfs_mount("/tmp", "size=64m,mode=1777").with_exposed_ports(PORT)
    return container.with_envs(**{prefix + name: value for name, value in settings.items()})


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_has_labels_and_runs_without_root(docker: DockerClient, service: str) -> None:
    image = docker.client.images.get(f"levy/{service}:dev")
    config = image.attrs["Config"]
    assert image.labels["org.opencontainers.image.title"] == f"levy-{service}"
    assert image.labels["org.opencontainers.image.version"] == "dev"
    assert "org.opencontainers.image.revision" in image.labels
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["python", "/opt/levy/image/entry.py"]
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert config["StopSignal"] == "SIGTERM"
    assert image.attrs["Size"] < MAX_MB[service] * 1e6


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_neither_what_built_it_nor_other_services(service: str) -> None:
    listed = (
        "import pathlib, sysconfig; site = pathlib.Path(sysconfig.get_path('purelib'));"
        "print(*sorted(p.name for p in site.glob('levy_*') if p.is_dir()),"
        "*(name for name in ('pip', 'tensorflow') if (site / name).exists()))"
    )
    with DockerContainer(f"levy/{service}:dev", entrypoint=["sleep", "60"]) as container:
        found = container.exec(["python", "-c", listed]).output.decode().split()
    others = {f"levy_{other}" for other in SERVICES if other != service}
    assert f"levy_{service}" in found
    assert not {"pip", "tensorflow", *others} & set(found)


def test_a_single_service_becomes_healthy_responds_and_stops() -> None:
    with confined("pricing").waiting_for(HealthcheckWaitStrategy()) as container:
        url = f"http://127.0.0.1:{container.get_exposed_port(PORT)}"
        answer = httpx.post(f"{url}/price", json=TO_PRICE, timeout=30, trust_env=False)
        assert answer.status_code == 200, answer.text
        wrapped = container.get_wrapped_container()
        wrapped.kill("SIGTERM")
        assert wrapped.wait(timeout=STOP_SECONDS)["StatusCode"] == 0


def test_a_setting_that_means_nothing_stops_the_container_and_is_named() -> None:
    with confined("pricing", THREADZ="2") as container:
        assert container.get_wrapped_container().wait(timeout=30)["StatusCode"] != 0
        said = b"".join(container.get_logs())
    assert b"THREADZ" in said.upper()
