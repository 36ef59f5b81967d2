"""The manifests built by kustomize, and functions that query them."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
OVERLAYS = ("local", "production", "production/shared", "production/engine", "blue", "green")
NAME = "app.kubernetes.io/name"

Resource = dict[str, Any]


def kustomize() -> list[str] | None:
    """Return the command that builds an overlay; None without kustomize 5."""
    for command in (["kustomize", "build"], ["kubectl", "kustomize"]):
        if shutil.which(command[0]) is None:
            continue
        version = [command[0], "version", *(["--client"] if command[0] == "kubectl" else [])]
        output = subprocess.run(version, capture_output=True, text=True, check=False).stdout
        if "v5." in output:
            return command
    return None


@cache
def built(overlay: str) -> tuple[Resource, ...]:
    """Return every resource of an overlay."""
    command = kustomize()
    assert command is not None
    done = subprocess.run(
        [*command, str(ROOT / "k8s" / "overlays" / overlay)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(resources: tuple[Resource, ...], *kinds: str) -> list[Resource]:
    """Return the resources of some kinds."""
    return [each for each in resources if each["kind"] in kinds]


def name_of(resource: Resource) -> str:
    """Return the name of a resource, which is unique within its kind."""
    return str(resource["metadata"]["name"])


def workloads(resources: tuple[Resource, ...]) -> list[Resource]:
    """Return the workloads, which run pods."""
    return of_kind(resources, "Deployment", "StatefulSet")


def pod(workload: Resource) -> Resource:
    """Return the specification of a workload's pods."""
    return dict(workload["spec"]["template"]["spec"])


def labels(workload: Resource) -> dict[str, str]:
    """Return the labels of a workload's pods."""
    return dict(workload["spec"]["template"]["metadata"]["labels"])


def containers(resources: tuple[Resource, ...]) -> Iterator[tuple[str, Resource]]:
    """Return every container with a unique name."""
    for workload in workloads(resources):
        for container in pod(workload)["containers"]:
            yield f"{name_of(workload)}/{container['name']}", container


def selects(selector: Resource, found: dict[str, str]) -> bool:
    """Return whether a label selector selects a pod with these labels.

    Examples
    --------
    >>> selects({"matchLabels": {"a": "1"}}, {"a": "1", "b": "2"})
    True
    >>> selects({"matchExpressions": [{"key": "a", "operator": "In", "values": ["2"]}]}, {"a": "1"})
    False
    """
    expressions = selector.get("matchExpressions", ())
    assert all(each["operator"] == "In" for each in expressions), "only In is used here"
    return all(
        found.get(key) == value for key, value in selector.get("matchLabels", {}).items()
    ) and all(found.get(each["key"]) in each["values"] for each in expressions)


class Network:
    """Network access that the policies of an overlay allow.

    Parameters
    ----------
    resources : tuple of Resource
    """

    def __init__(self, resources: tuple[Resource, ...]) -> None:
        self._policies = of_kind(resources, "NetworkPolicy")

    def allows(self, source: Resource, target: Resource, port: int) -> bool:
        """Return whether pods with some labels, in some namespace, may connect to others on a port.

        Parameters
        ----------
        source, target : dict
            `labels` and `namespace` of a pod; those of the engine are in `levy`.
        port : int
        """
        return self._one_way("egress", source, target, port) and self._one_way(
            "ingress", target, source, port
        )

    def _one_way(self, way: str, subject: Resource, other: Resource, port: int) -> bool:
        if subject["namespace"] != "levy":
            return True
        held = [
            policy["spec"]
            for policy in self._policies
            if way.capitalize() in policy["spec"]["policyTypes"]
            and selects(policy["spec"]["podSelector"], subject["labels"])
        ]
        peers = "to" if way == "egress" else "from"
        return not held or any(
            port in {each["port"] for each in rule["ports"]}
            and any(_is_meant(peer, other) for peer in rule[peers])
            for policy in held
            for rule in policy.get(way, ())
        )


def _is_meant(peer: Resource, other: Resource) -> bool:
    namespace = peer.get("namespaceSelector", {"matchLabels": {_NAMESPACE: "levy"}})
    return selects(namespace, {_NAMESPACE: other["namespace"]}) and selects(
        peer.get("podSelector", {}), other["labels"]
    )


_NAMESPACE = "kubernetes.io/metadata.name"
