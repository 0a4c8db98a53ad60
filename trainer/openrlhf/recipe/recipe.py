"""Recipes: all that decides a training run, as YAML, validated, with OpenRLHF's own flags inside.

A recipe may start from another (`extends`: a shipped one's name, or a path relative to its own file) and state only
what differs. Model, data, out and openrlhf.eval.dataset are relative to the folder that the command is run in.
"""

from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from trainer.openrlhf.agent.settings import MOST_LOGPROBS, CertaintyFrom
from trainer.openrlhf.problems import RecipeError
from trainer.openrlhf.recipe.flags import SET_BY_RECIPE, FlagTreeError, Kind, Value, flatten
from trainer.openrlhf.recipe.yaml_text import YamlError, load_yaml

SHIPPED = resources.files("trainer") / "recipes"

Text = Annotated[str, StringConstraints(min_length=1, pattern=r"^\P{C}+$")]
Count = Annotated[int, Field(ge=1, le=100_000)]
Seconds = Annotated[float, Field(gt=0, le=1e7, allow_inf_nan=False)]
Minutes = Annotated[float, Field(ge=1, le=1e6, allow_inf_nan=False)]
KeyPath = tuple[str | int, ...]

_DEEPEST = 16
"""Recipes that may start from one another."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _address_or_list(value: object) -> object:
    """As it is, where it is one address or a list of some."""
    addresses = value if isinstance(value, list) else [value]
    if not addresses or not all(isinstance(one, str) and one and one.isprintable() for one in addresses):
        raise PydanticCustomError("addresses", "an address, or a list of them")
    return value


class TlsPart(_Part):
    """PEM files for an https server, at the same paths on every node."""

    ca_file: Text | None = None
    """Of who may sign its certificate; default: those that httpx trusts."""
    certificate: Text | None = None
    """That shows it who asks."""
    key: Text | None = None
    """The certificate's, without a passphrase; default: the certificate's file has it."""


class ServerPart(_Part):
    """Which server scores the rollouts, or which several, and how."""

    url: Annotated[str | list[str], PlainValidator(_address_or_list)] = "http://127.0.0.1:8080"
    spec: Text = "shop-r1"
    certainty: CertaintyFrom = "rollout"
    """Whose the rationale's certainty is: the policy's own top-k logprobs travel, the server measures it, or nobody."""
    agent: Literal["executor", "plain"] = "executor"
    """Our agent executor, or OpenRLHF's own one call per sample to `--reward.remote_url`."""
    top_k: Annotated[int, Field(ge=1, le=MOST_LOGPROBS)] = MOST_LOGPROBS
    """Log-probabilities per token; OpenRLHF's vLLM engines give 20 at most."""
    patience: Seconds = 600.0
    """Seconds a rollout waits for the server before the run fails."""
    tls: TlsPart | None = None
    """What an https server is trusted by and shown."""

    @property
    def urls(self) -> list[str]:
        """Of all servers."""
        return [self.url] if isinstance(self.url, str) else self.url

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        for url in self.urls:
            if "@" in url.split("://", 1)[-1].split("/", 1)[0]:
                raise ValueError(
                    "url: it holds a user or a key, which logs would repeat; put the key into SHOP_R1_API_KEY"
                )
            if "?" in url:
                raise ValueError("url: spec, digest and run are added by the command; say the server's address alone")
            if "," in url:
                raise ValueError("url: of several servers, a list: [http://one:8080, http://two:8080]")
        if self.agent == "plain" and self.tls is not None:
            raise ValueError("agent: OpenRLHF's own call takes no files for TLS; use the executor")
        if self.agent == "plain" and self.certainty == "rollout":
            raise ValueError("agent: OpenRLHF's own call carries no log-probabilities, which certainty: rollout needs")
        return self


class Recipe(_Part):
    """A complete recipe."""

    description: str = ""
    trainer: Kind
    """Which command runs it."""
    model: Text
    """A model's folder, or its id on the Hub."""
    data: Text
    """What `shop-r1 data sft` or `shop-r1 data rl` wrote."""
    out: Text
    """The run's folder."""
    nodes: Count = 1
    gpus_per_node: Count = 8
    actor_gpus_per_node: Count | None = None
    """GPUs of each node that train, where vLLM has the others to itself; default: all."""
    device: Literal["gpu", "cpu"] = "gpu"
    server: ServerPart | None = None
    """GRPO only."""
    stall_minutes: Minutes = 30.0
    """Without a sign of life from the trainer for so long, it is stopped with an error."""
    wandb: bool = False
    """Whether metrics also go to Weights & Biases; its key is read from WANDB_API_KEY where OpenRLHF runs."""
    openrlhf: dict[str, Any] = {}
    """OpenRLHF's own flags, nested at the dots."""

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.trainer == "sft":
            for name in ("server", "actor_gpus_per_node"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name}: only a recipe with trainer: grpo has one")
        elif self.server is None:
            raise ValueError("server: a recipe with trainer: grpo needs one")
        if self.actor_gpus_per_node is not None and self.actor_gpus_per_node > self.gpus_per_node:
            raise ValueError(f"actor_gpus_per_node: {self.actor_gpus_per_node} of {self.gpus_per_node} GPUs")
        for flag in flatten(self.openrlhf):
            if (key := SET_BY_RECIPE[self.trainer].get(flag)) is not None:
                raise FlagTreeError(tuple(flag.split(".")), f"--{flag} follows from the recipe; set it by {key}")
        return self

    @cached_property
    def flags(self) -> dict[str, Value]:
        """The flags under `openrlhf`, flat."""
        return flatten(self.openrlhf)

    @property
    def training_gpus(self) -> int:
        """GPUs that train, over all nodes."""
        return self.nodes * (self.actor_gpus_per_node or self.gpus_per_node)

    def as_dict(self) -> dict[str, Any]:
        """What `recipe.yaml` holds: every key that is not null."""
        return self.model_dump(exclude_none=True)


_PARTS: Mapping[KeyPath, type[_Part]] = {("server",): ServerPart, ("server", "tls"): TlsPart}


@cache
def recipe_names() -> tuple[str, ...]:
    """The names of the shipped recipes, sorted."""
    return tuple(sorted(file.name.removesuffix(".yaml") for file in SHIPPED.iterdir() if file.name.endswith(".yaml")))


def find_recipe(name: str, kind: Kind) -> str:
    """The shipped recipe or file that a user means by `name`: of the `kind` grpo, `3b` may stand for `grpo-3b`.

    Raises LookupError where there is none.
    """
    for candidate in (name, f"{kind}-{name}"):
        if candidate in recipe_names():
            return candidate
    if name.endswith((".yaml", ".yml")):
        return name
    raise LookupError(f"no recipe {name!r}; there are {', '.join(recipe_names())}, or name a .yaml file")


def read_recipe(name_or_file: str, changes: Iterable[tuple[str, Any]] = ()) -> Recipe:
    """A shipped recipe or a file, with what it extends under it and `changes` (dotted key -> value) over it.

    Raises RecipeError.
    """
    merged, origins = _read(name_or_file, None, ())
    for key, value in changes:
        merged = _merge(merged, _nested(key, value), origins, "--set", ())
    stem = Path(name_or_file).name.removesuffix(".yaml").removesuffix(".yml")
    merged.setdefault("out", f"runs/{stem}")
    try:
        return Recipe.model_validate(merged)
    except ValidationError as error:
        raise RecipeError(_sentence(error, origins, name_or_file)) from None


def parse_value(text: str) -> Any:
    """A value as an option gives it, read as YAML. Raises ValueError."""
    return load_yaml(text)


Origins = dict[KeyPath, str]


def _read(name: str, beside: Path | None, seen: tuple[str, ...]) -> tuple[dict[str, Any], Origins]:
    """What a recipe says with all it extends, and which file said what; `beside` is the folder of the one above."""
    text, source, folder = _text_of(name, beside, seen)
    identity = str(folder / source) if folder is not None else source
    if identity in seen:
        raise RecipeError(f"{seen[-1]}: extends: {source} already extends it, in a circle")
    if len(seen) == _DEEPEST:
        raise RecipeError(f"{seen[-1]}: extends: more than {_DEEPEST} recipes one on another")
    try:
        content = load_yaml(text)
    except YamlError as error:
        raise RecipeError(f"{source}: {error}") from None
    if not isinstance(content, dict):
        raise RecipeError(f"{source}: a recipe is a map of keys")
    base = content.pop("extends", None)
    if base is None:
        origins: Origins = {}
        return _merge({}, content, origins, source, ()), origins
    if not isinstance(base, str):
        raise RecipeError(f"{source}: extends: the name of a recipe, not {base!r}")
    inherited, origins = _read(base, folder, (*seen, identity))
    inherited.pop("description", None)
    return _merge(inherited, content, origins, source, ()), origins


def _text_of(name: str, beside: Path | None, seen: tuple[str, ...]) -> tuple[str, str, Path | None]:
    """The text of a recipe, what errors call it, and the folder it lies in (None for a shipped one)."""
    if name in recipe_names():
        return (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8"), f"recipe {name}", None
    said_by = f"{seen[-1]}: extends: " if seen else ""
    if not name.endswith((".yaml", ".yml")):
        raise RecipeError(f"{said_by}no recipe {name!r}; there are {', '.join(recipe_names())}, or name a .yaml file")
    file = Path(name) if beside is None else beside / name
    try:
        return file.read_text(encoding="utf-8-sig"), file.name if beside else name, file.parent.resolve()
    except OSError as error:
        raise RecipeError(f"{said_by}{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"{said_by}{file}: not UTF-8: {error.reason} at byte {error.start}") from None


def _merge(
    base: dict[str, Any], over: Mapping[str, Any], origins: Origins, source: str, path: KeyPath
) -> dict[str, Any]:
    """`base` with `over` laid over it, map by map; `origins` learns who said each key."""
    merged = dict(base)
    for key, value in over.items():
        here = (*path, key)
        origins[here] = source
        old = merged.get(key)
        if isinstance(value, dict):
            merged[key] = _merge(old if isinstance(old, dict) else {}, value, origins, source, here)
        else:
            merged[key] = value
    return merged


def _nested(key: str, value: Any) -> dict[str, Any]:
    first, _, rest = key.partition(".")
    return {first: _nested(rest, value) if rest else value}


def _origin(path: KeyPath, origins: Origins, fallback: str) -> str:
    """Who said the key at `path`, or the nearest key around it."""
    return next((origins[path[:end]] for end in range(len(path), 0, -1) if path[:end] in origins), fallback)


def _sentence(error: ValidationError, origins: Origins, fallback: str) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    path, reason = first["loc"], first["msg"].removeprefix("Value error, ")
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, FlagTreeError):
        path = ("openrlhf", *cause.path)
    elif first["type"] == "value_error":
        # A rule between keys names the one it is about.
        key, reason = reason.split(": ", 1)
        path = (*path, key)
    if first["type"] == "extra_forbidden":
        fields = _PARTS.get(path[:-1], Recipe).model_fields
        reason = f"no such key; there are {', '.join(fields)}"
    source = _origin(path, origins, fallback)
    return f"{source}: {'.'.join(map(str, path)) or 'recipe'}: {reason}"
