"""What a release's Deployments run, as processes on this machine."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.chart import Object, Rendered, container, environment
from tests.deploy.proxy_rules import Pod
from tests.servers import Server, running_server

_SPECS, _KEYS = "/etc/shop-r1/specs", "/etc/shop-r1/keys"


@dataclass
class RunningPods:
    """The servers by their pod's name, `SERVICE-NUMBER`."""

    servers: Mapping[str, Server]

    def of(self, *services: str) -> dict[str, Sequence[Pod]]:
        """The pods of Services, without those that are gone."""
        return {
            service: [
                Pod(name, server.url.removeprefix("http://"))
                for name, server in self.servers.items()
                if name.rpartition("-")[0] == service and server.process.poll() is None
            ]
            for service in services
        }


@contextmanager
def running_pods(rendered: Rendered, folder: Path) -> Iterator[RunningPods]:
    """As many servers as each Deployment has replicas, with the environment that its container has."""
    with ExitStack() as stack:
        servers = {}
        for deployment in rendered.of("Deployment"):
            name = deployment["metadata"]["name"]
            variables = _variables(rendered, deployment, folder / name)
            for number in range(deployment["spec"]["replicas"]):
                servers[f"{name}-{number}"] = stack.enter_context(running_server(**variables))
        try:
            yield RunningPods(servers)
        finally:
            # The second signal, which each gets as it is left, skips the time to drain.
            for server in servers.values():
                server.process.terminate()


def _variables(rendered: Rendered, deployment: Object, mount: Path) -> dict[str, str]:
    """A container's environment, but for this machine's loopback, and a folder in place of what is mounted."""
    mount.mkdir()
    for item in rendered.of("ConfigMap"):
        if item["metadata"]["name"] == f"{mount.name}-specs":
            for file, text in item["data"].items():
                (mount / file).write_text(text, encoding="utf-8")
    for volume in deployment["spec"]["template"]["spec"]["volumes"]:
        for item in volume.get("secret", {}).get("items", ()):
            text = rendered.one("Secret", volume["secret"]["secretName"])["stringData"][item["key"]]
            (mount / item["path"]).write_text(text, encoding="utf-8")
    variables = {}
    for variable, value in environment(container(deployment, "server")).items():
        if isinstance(value, dict):
            wanted = value["secretKeyRef"]
            value = rendered.one("Secret", wanted["name"])["stringData"][wanted["key"]]
        variables[variable] = value.replace(_SPECS, str(mount)).replace(_KEYS, str(mount))
    # running_server's flag wins over REWARD_PORT.
    return variables | {"REWARD_HOST": "127.0.0.1"}
