"""Reward specs: read from TOML, validated, in one canonical form, with a digest that says which spec scored what."""

import hashlib
import tomllib
from collections.abc import Mapping
from functools import cache, cached_property
from importlib import resources
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from reward_server.reward.action import ActionSpace
from reward_server.reward.similarity import Threshold, Tokenizer

CertaintyKind = Literal["kl_to_uniform", "kl_to_uniform_over_vocab", "kl_from_uniform"]

# What the chat templates of Qwen, Llama, Phi, Gemma, Mistral and DeepSeek close an answer with, in sorted order.
END_OF_TURN = (
    "</s>",
    "<end_of_turn>",
    "<eos>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|im_end|>",
    "<｜end▁of▁sentence｜>",
)

RESERVED_TYPES = frozenset({"all", "invalid", "unknown", "unknown_type"})
"""What metrics, logs and summaries say in place of an action type."""

RESERVED_FIELDS = frozenset({"action", "type"})
"""Keys of an action or of a label that are no text fields."""

_PRESETS = resources.files(__package__) / "presets"

# Adding 0.0 turns -0.0 into 0.0, so that both have one canonical form.
Number = Annotated[float, Field(allow_inf_nan=False), AfterValidator(lambda number: number + 0.0)]
Weight = Annotated[Number, Field(ge=0, le=1e9)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\s\pC/?#,]+$")]


class SpecError(ValueError):
    """A reward spec that cannot be read: names the file or preset, and each field that is wrong."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:  # noqa: ARG002
        """A copy with changes, validated anew, so that no digest or threshold of the old values survives in it."""
        return self.model_validate({**self.model_dump(exclude_unset=True), **(update or {})})


class FormatRule(_Part):
    """What a valid completion earns, and what counts as one."""

    weight: Weight = 0.5
    mode: Literal["strict", "fenced"] = "strict"
    end_of_turn: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        Field(strict=False),
        AfterValidator(lambda tokens: tuple(sorted(set(tokens)))),
    ] = END_OF_TURN


class CertaintyRule(_Part):
    """The rationale's self-certainty: which of its three readings, and its weight α."""

    kind: CertaintyKind = "kl_to_uniform"
    weight: Weight = 0.0


class SimilarityRule(_Part):
    """How two texts are compared, and from where on a similarity counts."""

    tokenizer: Tokenizer = "rouge-score"
    threshold: Annotated[Number, Field(ge=0, le=1)] = 0.75
    strict: bool = True
    """Whether a similarity must exceed the threshold rather than reach it."""

    @model_validator(mode="after")
    def _something_passes(self) -> Self:
        if self.strict and self.threshold == 1:
            raise ValueError("no similarity exceeds a threshold of 1; say strict = false to ask for exactly 1")
        return self

    @cached_property
    def threshold_fraction(self) -> Threshold:
        """The threshold as an exact fraction."""
        return Threshold.from_decimal(self.threshold, self.strict)


class FieldReward(_Part):
    """What one text field of an action earns, once the type is right."""

    attribute: Weight = 0.0
    """For a field that is not empty."""
    value: Weight = 0.0
    """Times the ROUGE-L similarity to the label's field, where that passes the threshold."""
    dars: bool = False
    """Whether `value` is multiplied by the difficulty-aware scale."""


class ExactByLabel(_Part):
    """Exact-match weights that depend on something only the label knows, such as a click's subtype."""

    key: Identifier
    weights: dict[str, Weight]


class ActionReward(_Part):
    """What one action type earns."""

    type: Weight = 0.0
    """For the right type."""
    exact: Weight = 0.0
    """For an action that matches the label in type and every field; counted under the term `value`."""
    exact_by_label: ExactByLabel | None = None
    """Other weights in place of `exact` where the label carries the key."""
    wrong: Annotated[Number, Field(le=0, ge=-1e9)] = 0.0
    """For predicting this type when the action does not match the label exactly; counted under the term `value`."""
    fields: dict[Identifier, FieldReward] = {}


class RewardSpec(_Part):
    """A complete reward: the action space, every weight, the similarity, the certainty."""

    name: Identifier
    description: str = ""
    dars: Weight = 1.0
    format: FormatRule = FormatRule()
    certainty: CertaintyRule = CertaintyRule()
    similarity: SimilarityRule = SimilarityRule()
    actions: Annotated[dict[Identifier, ActionReward], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        for name, action in self.actions.items():
            if name in RESERVED_TYPES:
                raise ValueError(f"actions.{name}: {name!r} has a meaning of its own in metrics and summaries")
            for field in RESERVED_FIELDS & action.fields.keys():
                raise ValueError(f"actions.{name}.fields: {field!r} has a meaning of its own in an action")
        return self

    @cached_property
    def action_space(self) -> ActionSpace:
        """Action type -> its field names, both sorted, so that sums come out alike whatever the file's order."""
        return {name: tuple(sorted(self.actions[name].fields)) for name in sorted(self.actions)}

    @cached_property
    def field_names(self) -> frozenset[str]:
        """Every field name of any action type."""
        return frozenset(name for fields in self.action_space.values() for name in fields)

    @property
    def needs_certainty(self) -> bool:
        """Whether a reward under this spec cannot be computed without the rationale's certainty."""
        return self.certainty.weight > 0

    def canonical(self) -> dict[str, Any]:
        """All that decides a reward, defaults filled in; without names, and without what no weight brings to bear."""
        form = self.model_dump(mode="json", exclude={"name", "description"})
        if not self.needs_certainty:
            del form["certainty"]["kind"]
        fields = [field for action in form["actions"].values() for field in action["fields"].values()]
        for field in fields:
            field["dars"] = field["dars"] and field["value"] > 0
        if not any(field["dars"] for field in fields):
            del form["dars"]
        if not any(field["value"] for field in fields):
            del form["similarity"]
        return form

    @cached_property
    def digest(self) -> str:
        """`sha256:` and the hash of the canonical form as JSON with sorted keys."""
        text = orjson.dumps(self.canonical(), option=orjson.OPT_SORT_KEYS)
        return f"sha256:{hashlib.sha256(text).hexdigest()}"


def read_spec(text: str, source: str) -> RewardSpec:
    """A spec from the text of its TOML file; `source` names the file in errors.

    A file may start from a preset with `extends = "shop-r1"` and state only what differs. Raises SpecError.
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpecError(f"{source} is not TOML: {error}") from None
    base = table.pop("extends", None)
    if base is not None:
        if base not in preset_names():
            raise SpecError(f"{source}: extends: no preset {base!r}; there are {', '.join(preset_names())}")
        inherited = load_preset(base).model_dump(exclude_unset=True, exclude={"name", "description"})
        table = _merge(inherited, table)
    try:
        return RewardSpec.model_validate(table)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, item['loc'])) or 'spec'}: {item['msg']}" for item in error.errors())
        raise SpecError(f"{source}: {'; '.join(problems)}") from None


@cache
def preset_names() -> tuple[str, ...]:
    """The names of the packaged specs, the paper's own first."""
    names = sorted(entry.name.removesuffix(".toml") for entry in _PRESETS.iterdir() if entry.name.endswith(".toml"))
    return tuple(sorted(names, key=lambda name: (name != "shop-r1", not name.startswith("shop-r1"), name)))


@cache
def load_preset(name: str) -> RewardSpec:
    """A packaged spec by its name. Raises SpecError for an unknown one."""
    if name not in preset_names():
        raise SpecError(f"no preset {name!r}; there are {', '.join(preset_names())}")
    return read_spec((_PRESETS / f"{name}.toml").read_text(encoding="utf-8"), f"preset {name}")


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it, table by table."""
    merged = dict(base)
    for key, change in changes.items():
        old = merged.get(key)
        merged[key] = _merge(old, change) if isinstance(old, dict) and isinstance(change, dict) else change
    return merged
