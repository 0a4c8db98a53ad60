"""Sessions as they stand in a file: JSON lines, one session a line, pages already simplified."""

from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

_DEEPEST = 64


def _shallow(value: Any) -> Any:
    """The value, if it nests no deeper than JSON writers go. Raises ValueError."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for item in level for inner in _inside(item)]
        if not level:
            return value
    raise ValueError(f"nested deeper than {_DEEPEST} levels")


def _inside(value: Any) -> list[Any]:
    found = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [inner for inner in found if isinstance(inner, dict | list)]


Object = Annotated[dict[str, Any], AfterValidator(_shallow)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Step(_Row):
    """A page, and what the shopper did on it."""

    html: str | None = None
    """The simplified page the shopper saw *before* acting; null where it was not recorded."""
    action: Object
    """The action as its label has it: `type`, its text fields, and what else is known of it (`click_type`, say)."""
    rationale: str | None = None
    """Why, in one sentence; null where nobody said."""
    timestamp: AwareDatetime | None = None
    """When the shopper acted, with its time zone."""
    url: str | None = None
    raw_html: str | None = None
    """The page as the shop sent it, where it was kept."""
    meta: Object | None = None
    """Anything else; never shown to a model."""


class Session(_Row):
    """What one shopper did in one visit, in order."""

    session: Annotated[str, Field(min_length=1, max_length=512)]
    """Its id, unique in a dataset."""
    user: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    """Whose session it is; splits by user need it."""
    persona: str | Object | None = None
    """Who the shopper is, as text or as an object; shown to a model only on request."""
    steps: Annotated[list[Step], Field(fail_fast=True)]
    meta: Object | None = None
    """Anything else; never shown to a model."""
