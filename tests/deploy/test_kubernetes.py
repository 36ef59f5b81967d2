"""Manifests are valid, restricted, and consistent with the rest of the project."""

import json
import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from k8s.rules import FILE, prometheus_rule
from levy_bayesian.settings import BayesianSettings
from levy_calibration.settings import CalibrationSettings
from levy_gateway.app import create_app
from levy_gateway.settings import GatewaySettings
from levy_pricing.settings import PricingSettings
from levy_schemas.jobs import QUEUES, queued_key
from levy_service.settings import ServiceSettings
from tests.deploy.manifests import (
    NAME,
    OVERLAYS,
    ROOT,
    Network,
    built,
    containers,
    kustomize,
    labels,
    name_of,
    of_kind,
    pod,
    selects,
    workloads,
)

needs_kustomize = pytest.mark.skipif(
    kustomize() is None, reason="no kustomize 5 here, nor a kubectl that has it inside"
)
every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
OF_OPERATORS = {"PrometheusRule", "ScaledObject", "ServiceMonitor", "TriggerAuthentication"}
"""Kinds of custom resources."""
SETTINGS: dict[str, ServiceSettings] = {
    "gateway": GatewaySettings(),
    "pricing": PricingSettings(),
    "calibration": CalibrationSettings(),
    "bayesian": BayesianSettings(),
}
SERVICES = tuple(SETTINGS)


@needs_kustomize
@every_overlay
def test_every_resource_is_what_kubernetes_reads(overlay: str) -> None:
    resources = built(overlay)
    assert resources
    names = [(each["kind"], name_of(each)) for each in resources]
    assert len(set(names)) == len(names)
    for resource in resources:
        try:
            kubernetes_validate.validate(resource, "1.37", strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            assert resource["kind"] in OF_OPERATORS


@needs_kustomize
@every_overlay
def test_pods_meet_the_restricted_pod_security_standard(overlay: str) -> None:
    for workload in workloads(built(overlay)):
        spec = pod(workload)
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {kind for volume in spec["volumes"] for kind in volume} <= {
            "name",
            "emptyDir",
            "configMap",
        }
    for _, container in containers(built(overlay)):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@needs_kustomize
@every_overlay
def test_every_container_has_limits_and_probes(overlay: str) -> None:
    for name, container in containers(built(overlay)):
        for kind in ("requests", "limits"):
            assert set(container["resources"][kind]) == {"cpu", "memory"}, name
        assert {"readinessProbe", "livenessProbe"} <= set(container), name
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            action = container.get(probe, {}).get("httpGet")
            assert action is None or action["port"] in ports, name


@needs_kustomize
@every_overlay
def test_what_is_named_exists(overlay: str) -> None:
    resources = built(overlay)
    there = {(each["kind"], name_of(each)) for each in resources}
    pods = [labels(workload) for workload in workloads(resources)]
    for budget in of_kind(resources, "PodDisruptionBudget"):
        assert sum(selects(budget["spec"]["selector"], found) for found in pods) == 1
    for scaler in of_kind(resources, "HorizontalPodAutoscaler", "ScaledObject"):
        assert ("Deployment", scaler["spec"]["scaleTargetRef"]["name"]) in there
        for trigger in scaler["spec"].get("triggers", ()):
            assert ("TriggerAuthentication", trigger["authenticationRef"]["name"]) in there
    for workload in workloads(resources):
        for volume in pod(workload)["volumes"]:
            assert "configMap" not in volume or ("ConfigMap", volume["configMap"]["name"]) in there


@needs_kustomize
@pytest.mark.parametrize("overlay", ["local", "production", "blue", "green"])
def test_a_service_leads_to_a_port_of_its_pods(overlay: str) -> None:
    resources = built(overlay)
    for service in of_kind(resources, "Service"):
        selector = {"matchLabels": service["spec"]["selector"]}
        meant = [each for each in workloads(resources) if selects(selector, labels(each))]
        assert len(meant) == 1, name_of(service)
        ports = {port["name"] for one in pod(meant[0])["containers"] for port in one["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@needs_kustomize
@every_overlay
def test_secrets_are_referenced_and_never_stored(overlay: str) -> None:
    assert not of_kind(built(overlay), "Secret")
    references = [
        (variable["name"], variable["valueFrom"]["secretKeyRef"])
        for _, container in containers(built(overlay))
        for variable in container.get("env", ())
        if "valueFrom" in variable
    ]
    assert {reference["name"] for _, reference in references} <= {"levy"}
    assert {reference["key"] for _, reference in references} <= {"redis-password", "api-keys"}
    secret = re.compile(r"PASSWORD|KEYS|AUTH$")
    for _, container in containers(built(overlay)):
        for variable in container.get("env", ()):
            held = secret.search(variable["name"]) and variable["name"] not in NO_SECRETS
            assert not held or "valueFrom" in variable


NO_SECRETS = {"LEVY_GATEWAY_REQUIRE_KEYS"}


@needs_kustomize
@every_overlay
def test_the_environment_is_what_services_read(overlay: str) -> None:
    for workload in of_kind(built(overlay), "Deployment"):
        service = labels(workload)[NAME]
        (container,) = pod(workload)["containers"]
        known: set[str] = set()
        for variable in container["env"]:
            name, value = variable["name"], str(variable.get("value", ""))
            # Kubernetes expands only variables that were defined before.
            assert set(re.findall(r"\$\((\w+)\)", value)) <= known, name
            known.add(name)
            if name.startswith("LEVY_"):
                field = name.removeprefix(f"LEVY_{service.upper()}_").lower()
                assert field in type(SETTINGS[service]).model_fields, name


@needs_kustomize
@pytest.mark.parametrize("colour", ["", "-blue", "-green"])
def test_a_gateway_uses_the_upstream_services_of_its_colour(colour: str) -> None:
    resources = built(colour.removeprefix("-") or "production")
    services = {name_of(each) for each in of_kind(resources, "Service")}
    (gateway,) = (each for each in workloads(resources) if labels(each)[NAME] == "gateway")
    environment = {each["name"]: each.get("value") for each in pod(gateway)["containers"][0]["env"]}
    for upstream in ("pricing", "calibration"):
        assert environment[f"{upstream.upper()}_HOST"] == f"{upstream}{colour}"
        assert f"{upstream}{colour}" in services


@needs_kustomize
def test_two_colours_share_nothing_but_what_there_is_once() -> None:
    names = [{(each["kind"], name_of(each)) for each in built(o)} for o in ("blue", "green")]
    assert names[0].isdisjoint(names[1])
    assert all(names[n].isdisjoint(_named("production/shared")) for n in (0, 1))
    for service in of_kind(built("blue"), "Service"):
        selector = {"matchLabels": service["spec"]["selector"]}
        assert not any(selects(selector, labels(each)) for each in workloads(built("green")))


def _named(overlay: str) -> set[tuple[str, str]]:
    return {(each["kind"], name_of(each)) for each in built(overlay)}


@needs_kustomize
@every_overlay
def test_a_pod_has_time_to_finish(overlay: str) -> None:
    for workload in of_kind(built(overlay), "Deployment"):
        spec = pod(workload)
        service = labels(workload)[NAME]
        (container,) = spec["containers"]
        pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        names = {each["name"]: each.get("value") for each in container["env"]}
        drain = names.get(f"LEVY_{service.upper()}_DRAIN_SECONDS", SETTINGS[service].drain_seconds)
        assert spec.get("terminationGracePeriodSeconds", 30) > pause + int(drain)


def images_of_compose() -> dict[str, str]:
    """Return the image of each service, with the defaults of the compose file."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    defaults = {
        name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", one["image"]) for name, one in services.items()
    }
    return {name: image for name, image in defaults.items() if "${" not in image}


@needs_kustomize
def test_images_are_those_of_compose() -> None:
    composed = images_of_compose()
    found = {name: container["image"] for name, container in containers(built("local"))}
    assert found.pop("redis/redis") == composed["redis"]
    assert found.pop("redis/cache") == composed["redis-cache"]
    assert found.pop("redis/exporter") == composed["redis-exporter"]
    assert found == {f"{name}/service": composed[name] for name in SERVICES}
    for name, container in containers(built("production/engine")):
        service = name.partition("/")[0]
        assert container["image"].startswith(f"registry.example.com/levy/{service}:")


PORTS = {"gateway": 8000, "pricing": 8000, "calibration": 8000, "bayesian": 8000, "redis": 6379}
MAY_ASK = {
    ("gateway", "pricing"),
    ("gateway", "calibration"),
    ("gateway", "redis"),
    ("bayesian", "redis"),
}


@needs_kustomize
@pytest.mark.parametrize("colour", ["production", "blue"])
def test_the_network_lets_through_what_is_needed_and_nothing_else(colour: str) -> None:
    network = Network(built("production/shared"))
    pods = {
        labels(each)[NAME]: {"labels": labels(each), "namespace": "levy"}
        for each in (*workloads(built("production/shared")), *workloads(built(colour)))
    }
    assert set(pods) == set(PORTS)
    for source in pods:
        for target, port in PORTS.items():
            allowed = network.allows(pods[source], pods[target], port)
            assert allowed == ((source, target) in MAY_ASK), f"{source} to {target}"
    outside = {"labels": {}, "namespace": "elsewhere"}
    ingress = {"labels": {}, "namespace": "ingress-nginx"}
    watcher = {"labels": {}, "namespace": "monitoring"}
    for name, port in PORTS.items():
        assert not network.allows(outside, pods[name], port)
        assert not network.allows(pods[name], outside, 443)
        assert network.allows(ingress, pods[name], port) == (name == "gateway")
        assert network.allows(watcher, pods[name], 9121 if name == "redis" else 8000)
        names = {"labels": {"k8s-app": "kube-dns"}, "namespace": "kube-system"}
        assert network.allows(pods[name], names, 53)
    assert not network.allows(watcher, pods["redis"], PORTS["redis"])


@needs_kustomize
def test_policies_name_ports_that_pods_listen_on() -> None:
    listened = {
        port["containerPort"] for _, one in containers(built("local")) for port in one["ports"]
    }
    named = {
        port["port"]
        for policy in of_kind(built("local"), "NetworkPolicy")
        for way in ("ingress", "egress")
        for rule in policy["spec"].get(way, ())
        for port in rule["ports"]
    }
    assert named == listened | {53}


@needs_kustomize
def test_all_that_is_public_is_routed_and_metrics_are_not() -> None:
    (ingress,) = of_kind(built("production/shared"), "Ingress")
    assert ingress["spec"]["tls"][0]["hosts"] == [ingress["spec"]["rules"][0]["host"]]
    paths = [(p["path"], p["pathType"]) for p in ingress["spec"]["rules"][0]["http"]["paths"]]

    def routed(path: str) -> bool:
        return any(
            path == root or (kind == "Prefix" and path.startswith(f"{root}/"))
            for root, kind in paths
        )

    public = {*create_app(GatewaySettings()).openapi()["paths"], "/", "/docs", "/docs/assets/a.js"}
    assert not routed("/metrics")
    for path in public - {"/metrics"}:
        assert routed(path), path


@needs_kustomize
def test_the_number_of_workers_follows_the_queues() -> None:
    (scaler,) = of_kind(built("production"), "ScaledObject")
    counted = {trigger["metadata"]["listName"] for trigger in scaler["spec"]["triggers"]}
    assert counted == set(map(queued_key, QUEUES))
    scaled = {
        each["spec"]["scaleTargetRef"]["name"]
        for each in of_kind(built("production"), "HorizontalPodAutoscaler", "ScaledObject")
    }
    assert scaled == set(SERVICES)
    for deployment in of_kind(built("production"), "Deployment"):
        assert "replicas" not in deployment["spec"], "would undo what the scaler chose"


@needs_kustomize
def test_prometheus_receives_the_rules_and_finds_its_targets() -> None:
    assert FILE.read_text() == prometheus_rule(), "make manifests writes it anew"
    resources = (*built("production/shared"), *built("production/engine"))
    for monitor in of_kind(resources, "ServiceMonitor"):
        watched = [
            each
            for each in of_kind(resources, "Service")
            if selects(monitor["spec"]["selector"], each["metadata"]["labels"])
        ]
        names = {name_of(each) for each in watched}
        assert names == ({"redis"} if name_of(monitor) == "redis" else set(SERVICES))
        for endpoint in monitor["spec"]["endpoints"]:
            for service in watched:
                assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}


@needs_kustomize
def test_grafana_is_given_every_dashboard() -> None:
    (given,) = (
        each
        for each in of_kind(built("production/shared"), "ConfigMap")
        if each["metadata"]["labels"].get("grafana_dashboard") == "1"
    )
    there = {file.name: file.read_text() for file in (ROOT / "grafana/dashboards").glob("*.json")}
    assert given["data"] == there


class Cluster:
    """A fake `kubectl` that records its commands and fails on request.

    Parameters
    ----------
    folder : Path
        Folder of the script and its log.
    fails : str
        Prefix of commands that fail.
    """

    def __init__(self, folder: Path, fails: str = "nothing") -> None:
        self._diary = folder / "diary"
        self._diary.touch()
        program = folder / "kubectl"
        program.write_text(
            f'#!/bin/sh\nshift 2\necho "$*" | tr "\\n" " " >>{self._diary}\necho >>{self._diary}\n'
            f'case "$*" in "{fails}"*) exit 1 ;; esac\n'
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self._path = f"{folder}:{os.environ['PATH']}"

    def switch(self, *words: str) -> int:
        """Run the script and return its exit status."""
        done = subprocess.run(
            [ROOT / "k8s" / "switch", *words],
            env={**os.environ, "PATH": self._path},
            capture_output=True,
            check=False,
        )
        return done.returncode

    @property
    def commands(self) -> list[str]:
        """Return every command, in order."""
        return self._diary.read_text().splitlines()

    @property
    def selector(self) -> Any:
        """Return the last selector of the public Service."""
        patch = self.commands[-1].removeprefix("patch service public --type merge --patch ")
        return json.loads(patch)["spec"]["selector"]


def test_a_colour_receives_traffic_only_when_all_of_it_is_ready(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    assert cluster.switch("green") == 0
    assert [line.split()[2] for line in cluster.commands[:4]] == [
        f"deployment/{service}-green"
        for service in ("pricing", "calibration", "bayesian", "gateway")
    ]
    assert cluster.commands[4].startswith("exec deployment/gateway-green")
    assert cluster.selector == {"levy/colour": "green"}


@pytest.mark.parametrize("fails", ["rollout status deployment/calibration-blue", "exec"])
def test_what_is_not_ready_is_not_switched_to(tmp_path: Path, fails: str) -> None:
    cluster = Cluster(tmp_path, fails)
    assert cluster.switch("blue") != 0
    assert not any(line.startswith("patch") for line in cluster.commands)


def test_colours_can_be_given_up_again(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    assert cluster.switch("both") == 0
    assert cluster.selector == {"levy/colour": None}


@pytest.mark.parametrize("words", [(), ("red",)])
def test_an_unknown_colour_changes_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    cluster = Cluster(tmp_path)
    assert cluster.switch(*words) == 2
    assert cluster.commands == []
