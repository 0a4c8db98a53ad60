"""What is added to pods and Services: further volumes, classes, types."""

import pytest

from tests.deploy.chart import HelmError, Object, Rendered, ci_file, container, render

pytestmark = pytest.mark.e2e


@pytest.fixture
def everything() -> Rendered:
    return render(ci_file("everything"))


def mounts(deployment: Object, name: str) -> dict[str, str]:
    return {mount["name"]: mount["mountPath"] for mount in container(deployment, name)["volumeMounts"]}


def test_further_volumes_are_mounted_where_they_are_asked_for(everything: Rendered) -> None:
    deployment = everything.one("Deployment", "shop-r1-v2")
    volumes = {volume["name"]: volume for volume in deployment["spec"]["template"]["spec"]["volumes"]}
    assert volumes["certificates"]["configMap"]["name"] == "certificates"
    assert volumes["weights"]["persistentVolumeClaim"] == {"claimName": "weights", "readOnly": True}
    assert mounts(deployment, "server")["certificates"] == "/etc/ssl/ours"
    assert mounts(deployment, "vllm")["weights"] == "/weights"
    assert "weights" not in mounts(deployment, "server")


def test_a_volume_that_is_not_there_cannot_be_mounted() -> None:
    mount = [{"name": "wieghts", "mountPath": "/weights"}]
    for values in ({"extraVolumeMounts": mount}, {"vllm": {"extraVolumeMounts": mount}}):
        with pytest.raises(HelmError, match='there is no volume "wieghts" to mount; extraVolumes has none'):
            render(values=values)


@pytest.mark.parametrize("name", ["tmp", "specs", "vllm-tmp", "shared-memory", "model-cache"])
def test_a_volume_cannot_take_the_place_of_one_of_ours(name: str) -> None:
    with pytest.raises(HelmError, match="extraVolumes"):
        render(values={"extraVolumes": [{"name": name, "emptyDir": {}}]})


def test_each_version_may_have_classes_of_its_own(everything: Rendered) -> None:
    def classes(version: str) -> tuple[str | None, str | None]:
        pod = everything.one("Deployment", f"shop-r1-{version}")["spec"]["template"]["spec"]
        return pod.get("runtimeClassName"), pod.get("priorityClassName")

    assert classes("v1") == (None, "training")
    assert classes("v3") == ("gvisor", "evaluation")


def test_services_are_of_the_type_asked_for(everything: Rendered) -> None:
    assert {service["spec"]["type"] for service in everything.of("Service")} == {"LoadBalancer"}
    assert render().one("Service")["spec"]["type"] == "ClusterIP"
    with pytest.raises(HelmError, match=r"service\.type"):
        render(values={"service": {"type": "ExternalName"}})
