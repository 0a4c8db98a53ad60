"""The chart, rendered by the real helm."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "k8s" / "chart"
CI = sorted((CHART / "ci").glob("*.yaml"))
RELEASE, NAMESPACE = "shop-r1", "rewards"

Object = dict[str, Any]


class HelmError(Exception):
    """What helm says when it refuses."""


@cache
def helm(*arguments: str | Path, stdin: str = "") -> str:
    """What a helm command prints. Raises HelmError."""
    binary = shutil.which("helm", path=str(Path(sys.executable).parent)) or shutil.which("helm")
    assert binary, "helm is missing: it comes with the extra `dev` (helm-binary)"
    done = subprocess.run([binary, *arguments], input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HelmError(done.stderr + done.stdout)
    return done.stdout


def ci_file(name: str) -> Path:
    return CHART / "ci" / f"{name}-values.yaml"


class Rendered:
    """The objects of a release."""

    def __init__(self, objects: Sequence[Object]) -> None:
        self.objects = objects

    def of(self, kind: str) -> list[Object]:
        return [item for item in self.objects if item["kind"] == kind]

    def one(self, kind: str, name: str | None = None) -> Object:
        (found,) = [item for item in self.of(kind) if name in (None, item["metadata"]["name"])]
        return found

    def names(self, kind: str) -> list[str]:
        return sorted(item["metadata"]["name"] for item in self.of(kind))

    @property
    def pods(self) -> Iterator[Object]:
        """The specs of all pods, those of Deployments and those of `helm test`."""
        for item in self.of("Deployment"):
            yield item["spec"]["template"]["spec"]
        for item in self.of("Pod"):
            yield item["spec"]

    @property
    def containers(self) -> Iterator[Object]:
        for pod in self.pods:
            yield from pod.get("initContainers", ())
            yield from pod["containers"]


def render(*files: Path, values: Mapping[str, Any] | None = None, release: str = RELEASE) -> Rendered:
    """A release with the values of files, and then with others laid over them. Raises HelmError."""
    flags = [flag for file in files for flag in ("--values", file)]
    text = helm(
        *("template", release, CHART, "--namespace", NAMESPACE, *flags, "--values", "-"),
        stdin=yaml.safe_dump(dict(values or {})),
    )
    return Rendered([item for item in yaml.safe_load_all(text) if item])


def container(deployment: Object, name: str) -> Object:
    pod = deployment["spec"]["template"]["spec"]
    (found,) = [item for item in [*pod.get("initContainers", ()), *pod["containers"]] if item["name"] == name]
    return found


def environment(of: Object) -> dict[str, Any]:
    """A container's variables; a dictionary where one comes from elsewhere."""
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in of["env"]}


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return selector.items() <= labels.items()
