"""Command-line flags made from `Settings`, so that a setting is written down once."""

import inspect
import os
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic import ValidationError

from reward_server.settings import Settings


def with_settings(command: Callable[[Settings], None]) -> Callable[..., None]:
    """A Typer command with one flag per setting; a flag wins over its environment variable, that over the default."""

    def run(**flags: Any) -> None:
        command(read_settings({name: value for name, value in flags.items() if value is not None}))

    run.__doc__ = command.__doc__
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(name))
            for name in Settings.model_fields
        ]
    )
    run.__annotations__ = {name: _annotation(name) for name in Settings.model_fields}
    return run


def read_settings(given: dict[str, Any]) -> Settings:
    """Settings from flags and environment. Raises typer.BadParameter naming each setting that is wrong."""
    try:
        return Settings(**given)
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        )
        raise typer.BadParameter("; ".join(problems)) from None


def environment_variable(name: str) -> str:
    """The variable that sets the setting `name`."""
    return f"{Settings.model_config['env_prefix']}{name}".upper()


def unknown_variables() -> list[str]:
    """Variables of the environment that look like settings and are none, such as misspelt ones."""
    known = set(map(environment_variable, Settings.model_fields))
    prefix = environment_variable("")
    return sorted(name for name in os.environ if name.upper().startswith(prefix) and name.upper() not in known)


def _annotation(name: str) -> Any:
    setting = Settings.model_fields[name]
    is_flag = setting.annotation is bool
    flag = f"--{name.replace('_', '-')}"
    told = f"{environment_variable(name)}{_default(setting.default)}"
    option = typer.Option(
        f"{flag}/--no-{flag[2:]}" if is_flag else flag,
        help=f"{setting.description}{_choices(setting.annotation)} [{told}]",
        show_default=False,
        metavar=None if is_flag else _metavar(setting.annotation),
    )
    return Annotated[bool | None if is_flag else str | None, option]


def _default(default: Any) -> str:
    return "" if default == () or default is False or default is None else f"; default {default}"


def _metavar(annotation: Any) -> str:
    kind = get_origin(annotation)
    return "NAME" if kind is Literal else "LIST" if kind is tuple else "VALUE"


def _choices(annotation: Any) -> str:
    """The names a setting may have; not as its metavar, which would leave no room for the help."""
    return f" One of {', '.join(get_args(annotation))}." if get_origin(annotation) is Literal else ""
