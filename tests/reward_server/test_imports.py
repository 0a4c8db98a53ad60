"""Which way imports run: the floors of the house, read from the source."""

import ast
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FLOORS = (
    {"reward_server.cli", "reward_server.__main__"},
    {"reward_server.service", "trainer"},
    {"reward_server.scoring", "reward_server.rollout_files", "reward_server.client", "reward_server.terminal"},
    {
        "reward_server.reward",
        "reward_server.certainty",
        "reward_server.wire",
        "reward_server.decoding",
        "reward_server.http_sessions",
        "reward_server.json_lines",
        "reward_server.patience",
        "reward_server.specs",
        "reward_server.settings",
        "reward_server.vllm_plugin",
    },
    {"reward_server"},
)
"""Rooms from the top down; the lowest is the package's own module, which holds the version."""

HEAVY = {"torch", "transformers", "vllm"}

HEAVY_ROOMS = ("reward_server.certainty.causal_model", "reward_server.certainty.exact", "reward_server.vllm_plugin")
"""Where the server has its models; nothing imports them but what needs a model, when it does."""


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for package in ("reward_server", "trainer") for file in (ROOT / package).rglob("*.py")}


def imported(source: str, known: set[str]) -> set[str]:
    """The modules that a module imports anywhere in it, inside functions and for type checkers too.

    `from package import name` is an import of `package.name` where that is one of the `known` modules.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found.update((full & known) or {node.module})
            if full - known:
                found.add(node.module)
    return found


IMPORTS = {name: imported(file.read_text(encoding="utf-8"), set(FILES)) for name, file in FILES.items()}


def is_in(module: str, room: str) -> bool:
    """Whether a module is a room or inside it; the package's own module is in no room but its own."""
    return module == room or (room != "reward_server" and module.startswith(f"{room}."))


def floor(module: str) -> int | None:
    """How far down a module's room is."""
    return next((depth for depth, rooms in enumerate(FLOORS) if any(is_in(module, room) for room in rooms)), None)


def crossings(room: str, *forbidden: str) -> list[str]:
    """The imports out of a room, that are not into itself, into those that are forbidden to it."""
    return [
        f"{module} imports {target}"
        for module, targets in IMPORTS.items()
        for target in targets
        if is_in(module, room) and not is_in(target, room) and any(is_in(target, other) for other in forbidden)
    ]


def test_imports_are_found_wherever_they_stand() -> None:
    source = "import a.b, c\nfrom p import m, f\ndef f():\n    from d.e import g\nif TYPE_CHECKING:\n    import t\n"
    assert imported(source, {"p", "p.m"}) == {"a.b", "c", "p", "p.m", "d.e", "t"}


def test_the_house_is_read_whole() -> None:
    rooms = {"reward_server.cli.app", "reward_server.service.routes", "reward_server.reward.score", "trainer.preflight"}
    assert rooms < FILES.keys()
    assert "reward_server.scoring" in IMPORTS["reward_server.service.routes"]


@pytest.mark.parametrize("module", FILES)
def test_every_module_has_a_floor_and_imports_nothing_from_above(module: str) -> None:
    depth = floor(module)
    assert depth is not None, f"say in FLOORS on which floor {module} is"
    ours = {target: floor(target) for target in IMPORTS[module] if target.split(".")[0] in ("reward_server", "trainer")}
    assert [target for target, other in ours.items() if other is None or other < depth] == []


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = {module: targets & FILES.keys() - {module} for module, targets in IMPORTS.items()}
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("reward_server.reward.spec") < order.index("reward_server.cli.app")


@pytest.mark.parametrize("parts", [2, 3])
def test_the_trainer_s_rooms_and_those_within_them_import_one_another_one_way(parts: int) -> None:
    rooms: dict[str, set[str]] = {}
    for module in FILES:
        if is_of(module, "trainer"):
            inside = {room_of(target, parts) for target in IMPORTS[module] if is_of(target, "trainer")}
            rooms.setdefault(room_of(module, parts), set()).update(inside - {room_of(module, parts)})
    order = list(TopologicalSorter(rooms).static_order())
    assert order.index("trainer.preflight") < order.index("trainer.cli" if parts == 2 else "trainer.cli.check")


def room_of(module: str, parts: int) -> str:
    """A module's room, whose name has so many parts."""
    return ".".join(module.split(".")[:parts])


def test_reward_imports_nothing_of_the_rest() -> None:
    assert crossings("reward_server.reward", *(room for rooms in FLOORS for room in rooms)) == []


def test_certainty_does_not_import_the_reward() -> None:
    assert crossings("reward_server.certainty", "reward_server.reward", "reward_server.specs") == []


def test_the_plugin_stands_apart() -> None:
    rooms = [room for rooms in FLOORS for room in rooms if room not in ("reward_server", "reward_server.vllm_plugin")]
    assert crossings("reward_server.vllm_plugin", *rooms) == []
    assert [found for room in rooms for found in crossings(room, "reward_server.vllm_plugin")] == []


def test_server_and_trainer_do_not_know_each_other() -> None:
    assert crossings("reward_server.service", "trainer") == crossings("reward_server.cli", "trainer") == []
    assert crossings("trainer", "reward_server.service", "reward_server.cli") == []


def test_no_model_library_is_imported_outside_the_rooms_that_have_models() -> None:
    found = {
        (module, target)
        for module, targets in IMPORTS.items()
        for target in targets
        if module.startswith("reward_server") and target.split(".")[0] in HEAVY
        if not any(is_in(module, room) for room in HEAVY_ROOMS)
    }
    assert found == set()


def test_every_library_that_is_imported_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: declared(requirements) for name, requirements in project["optional-dependencies"].items()}
    # starlette comes with FastAPI, pydantic_core with pydantic, huggingface_hub with tokenizers, markupsafe with Jinja,
    # yaml with PyYAML, and ray with OpenRLHF.
    core = declared(project["dependencies"]) | {"starlette", "pydantic_core", "huggingface_hub"}
    models = extras["local"] | {"safetensors"}
    training = extras["data"] | extras["trainer"] | extras["vllm"] | {"markupsafe", "ray", "yaml"}
    for package, allowed in (
        ("reward_server", core | models | extras["vllm"]),
        (
            "trainer",
            core | models | training,
        ),
    ):
        libraries = {target.split(".")[0] for name in IMPORTS if is_of(name, package) for target in IMPORTS[name]}
        undeclared = libraries - {*sys.stdlib_module_names, "reward_server", "trainer"} - allowed
        assert undeclared == set(), package


def declared(requirements: list[str]) -> set[str]:
    """The modules of the libraries that are required."""
    return {re.split("[^A-Za-z0-9-]", requirement)[0].replace("-", "_") for requirement in requirements}


def is_of(module: str, package: str) -> bool:
    """Whether a module is a package or anywhere inside it."""
    return f"{module}.".startswith(f"{package}.")


def test_a_server_without_certainty_loads_nothing_that_it_has_no_use_for() -> None:
    program = (
        "import sys, reward_server.cli\n"
        "from reward_server.service import serve\n"
        "from reward_server.service.banner import print_banner\n"
        "from reward_server.service.app import create_app\n"
        "settings = serve.Settings(certainty='none', spec='shop-r1-no-rationale')\n"
        "state = serve._create_state(settings, serve.read_specs(settings))\n"
        "create_app(state)\n"
        "print_banner(state, 8080)\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True, timeout=60)
    assert "uvicorn" in loaded.stdout.split()
    unneeded = {"h11", "httpx", "numpy", "pygments", "rich.progress", "rich._emoji_codes", "tokenizers", *HEAVY}
    assert unneeded.isdisjoint(loaded.stdout.split())


@pytest.mark.parametrize("module", ["reward_server.cli", "trainer.cli"])
def test_commands_start_without_the_http_server(module: str) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True, timeout=60)
    assert module in loaded.stdout.split()
    slow = {"fastapi", "uvicorn", "starlette", "lxml", "matplotlib", "openai", "pyarrow", "tokenizers", *HEAVY}
    assert slow.isdisjoint(loaded.stdout.split())
