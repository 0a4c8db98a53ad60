"""The installed OpenRLHF's own argument parser and checks, run without importing OpenRLHF.

Both of its commands build their parser, and assert what goes together, under `if __name__ == "__main__":`, in modules
that import Ray, vLLM and DeepSpeed. That block alone is read from the source and run, with `train` replaced: seconds
and gigabytes less, and still its rules and not ours.
"""

import argparse
import ast
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple, NoReturn

from trainer.openrlhf.problems import FlagError
from trainer.openrlhf.recipe.flags import SET_BY_RECIPE, Flags, Kind

MODULES: Mapping[Kind, str] = {"sft": "openrlhf.cli.train_sft", "grpo": "openrlhf.cli.train_ppo_ray"}
"""OpenRLHF's command, by the trainer that a recipe names."""

_CONFIG = "openrlhf.utils.config"


class Parsed(NamedTuple):
    """What OpenRLHF makes of a command line."""

    values: dict[str, Any]
    """Every flag by its name, those not said with their defaults, after OpenRLHF's own adjustments."""
    notes: list[str]
    """What it prints while it checks: adjustments and recommendations."""


def installed_version() -> str | None:
    """The version of OpenRLHF; None where it is not installed."""
    try:
        return importlib.metadata.version("openrlhf") if importlib.util.find_spec("openrlhf") else None
    except importlib.metadata.PackageNotFoundError:
        return None


def parser_of(trainer: Kind) -> argparse.ArgumentParser:
    """The parser of OpenRLHF's command. Raises FlagError where its source has another shape."""
    try:
        _run(trainer, [], names_only=True)
    except _Built as built:
        return built.parser
    raise FlagError(f"{MODULES[trainer]} of OpenRLHF {installed_version()} parses no arguments")


def check_names(flags: Flags, trainer: Kind) -> None:
    """Raise FlagError for a flag that OpenRLHF does not have, and for a value too many or too few."""
    known = _flags_with_value(trainer)
    for name, value in flags.items():
        if (takes_value := known.get(name)) is None:
            near = get_close_matches(name, known, n=1, cutoff=0.7) or [
                other for other in known if other.rpartition(".")[2] == name.rpartition(".")[2]
            ]
            hint = f"; did you mean {' or '.join(near[:3])}?" if near else ""
            raise FlagError(f"openrlhf.{name}: OpenRLHF {installed_version()} has no flag --{name}{hint}")
        if takes_value and isinstance(value, bool):
            raise FlagError(f"openrlhf.{name}: the flag takes a value, not {str(value).lower()}")
        if not takes_value and not isinstance(value, bool):
            raise FlagError(f"openrlhf.{name}: the flag is true or false, not {value!r}")


def check_kept(parser: argparse.ArgumentParser, ours: Sequence[str], flags: Sequence[str], trainer: Kind) -> None:
    """Raise FlagError where a recipe's flags, after `ours`, change what the parser reads for one of ours."""
    read = argparse.ArgumentParser.parse_args  # the parser's own ends here, to hand itself out
    alone, together = vars(read(parser, list(ours))), vars(read(parser, [*ours, *flags]))
    for name, key in SET_BY_RECIPE[trainer].items():
        if alone.get(name) != together.get(name):
            raise FlagError(f"openrlhf: its flags say --{name} {together[name]}, which follows from {key}")


def parse(arguments: Sequence[str], trainer: Kind) -> Parsed:
    """What OpenRLHF reads from these arguments. Raises FlagError for what it refuses."""
    return _run(trainer, arguments)


def _flags_with_value(trainer: Kind) -> dict[str, bool]:
    """OpenRLHF's flags by name, and whether each takes a value."""
    return {
        name.removeprefix("--"): action.nargs != 0
        for name, action in parser_of(trainer)._option_string_actions.items()
        if name.startswith("--") and name != "--help"
    }


class _Built(BaseException):
    """Ends the block once its parser is built; no `except Exception` of the block holds it up."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def _run(trainer: Kind, arguments: Sequence[str], *, names_only: bool = False) -> Parsed:
    module = MODULES[trainer]
    source, config = _sources(module)
    seen: list[Any] = []

    class Parser(argparse.ArgumentParser):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "allow_abbrev": False, "prog": module})

        def error(self, message: str) -> NoReturn:
            raise FlagError(_in_recipe_spelling(message))

        def parse_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ARG002
            if names_only:
                raise _Built(self)
            return super().parse_args(list(arguments), namespace)

    def import_(name: str, *rest: Any) -> Any:
        return config if name == _CONFIG else __import__(name, *rest)

    scope = _helpers(source)
    scope |= {
        "argparse": _replaced(argparse, ArgumentParser=Parser),
        "train": seen.append,
        "__name__": "__main__",
        "__builtins__": {**vars(__import__("builtins")), "__import__": import_},
    }
    printed = StringIO()
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            exec(_block(source, module), scope)  # noqa: S102 - the block of the installed package that its command would run
    except FlagError:
        raise
    except AssertionError as error:
        raise FlagError(f"OpenRLHF refuses these flags together: {_in_recipe_spelling(_one_line(error))}") from None
    except Exception as error:
        reason = f"{type(error).__name__}: {_one_line(error)}"
        raise FlagError(f"OpenRLHF cannot make sense of these flags together: {reason}") from None
    notes = [line.strip() for line in printed.getvalue().splitlines() if line.strip()]
    return Parsed(_flat(seen[0], ""), notes)


def _sources(module: str) -> tuple[ast.Module, ModuleType]:
    """The source of OpenRLHF's command, and its module that nests flags, which imports nothing heavy."""
    found = importlib.util.find_spec("openrlhf")
    if found is None or not found.submodule_search_locations:
        raise FlagError("OpenRLHF is not installed: pip install 'shop-r1[trainer]'")
    package = Path(found.submodule_search_locations[0])
    file = package.joinpath(*module.split(".")[1:]).with_suffix(".py")
    helper = package.joinpath(*_CONFIG.split(".")[1:]).with_suffix(".py")
    try:
        source = ast.parse(file.read_text(encoding="utf-8"), str(file))
        spec = importlib.util.spec_from_file_location("shop_r1_openrlhf_config", helper)
        assert spec is not None
        assert spec.loader is not None
        config = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(config)
    except (OSError, SyntaxError) as error:
        raise FlagError(f"the installed OpenRLHF {installed_version()} cannot be read: {error}") from None
    return source, config


def _helpers(source: ast.Module) -> dict[str, Any]:
    """The names of the standard library that the module's head imports, for the block to use."""
    light: list[ast.stmt] = [
        node for node in source.body if isinstance(node, ast.Import | ast.ImportFrom) and _is_standard(node)
    ]
    scope: dict[str, Any] = {}
    exec(compile(ast.Module(light, []), "<imports>", "exec"), scope)  # noqa: S102 - imports of the standard library alone
    return scope


def _is_standard(node: ast.Import | ast.ImportFrom) -> bool:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return all(name.split(".")[0] in sys.stdlib_module_names for name in names)


def _block(source: ast.Module, module: str) -> CodeType:
    for node in source.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
            return compile(ast.Module(node.body, []), f"<{module}>", "exec")
    raise FlagError(f"{module} of OpenRLHF {installed_version()} has no command line that this version can read")


def _replaced(module: ModuleType, **names: Any) -> ModuleType:
    """A copy of a module with some names replaced."""
    copy = ModuleType(module.__name__)
    vars(copy).update({**vars(module), **names})
    return copy


def _flat(namespace: Any, prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    items: Mapping[str, Any] = vars(namespace)
    for key, value in items.items():
        flat |= _flat(value, f"{prefix}{key}.") if hasattr(value, "__dict__") else {f"{prefix}{key}": value}
    return flat


def _in_recipe_spelling(message: str) -> str:
    """`argument --a.b: reason` as `openrlhf.a.b: reason`."""
    message = re.sub(r"^argument (?=--)", "", " ".join(message.split()))
    return re.sub(r"--([a-z_]+(?:\.[a-z_0-9]+)+)", r"openrlhf.\1", message)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or "no reason given"
