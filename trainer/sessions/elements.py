"""What the simplifier makes of one element of a raw page, by its tag and attributes alone."""

from collections.abc import Iterable, Mapping

from trainer.sessions.naming import slug

Attributes = Mapping[str, str]
"""An element's raw attributes, names in lower case; the value is "" where there is none."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


DROPPED = _set(
    "script style link meta base noscript template iframe svg canvas picture video audio object param"
    " noembed noframes frame datalist"
)
"""Tags that go with all that is inside: what the recipe drops, and what no browser renders."""
SHELL = _set("html head body") | _set("image embed source track wbr keygen bgsound")
"""Tags that only what is inside remains of, whatever their attributes.

A page that is hidden as a whole is one that its scripts show; and libxml2 does not know the latter tags as void, so it
takes what follows for their inside.
"""
BARE_INLINE = _set("span b strong i em u font small big tt")
"""Tags that say nothing without an attribute: what is inside stands for them."""
INLINE = BARE_INLINE | _set(
    "a abbr acronym bdi bdo cite code data del dfn img ins kbd label mark q ruby s samp strike sub sup time var"
)
"""Tags that do not break the line; any other parts the words before it from those after it."""
CONTROLS = _set("input select textarea button")
"""Tags that remain even where they are empty and have no name."""

_CLICKABLE_TAGS = _set("button select summary area input")
_CLICKABLE_ROLES = _set("button link checkbox radio option tab menuitem switch")
_FIELDS = _set("input select textarea")
_BUTTON_TYPES = _set("submit button reset")
_NO_REGION = _CLICKABLE_TAGS | {"a", "textarea", "option"}
_LANDMARKS = _set("nav form section aside article fieldset dialog")

_HIDING = _set("hidden aria-hidden style")
_BOOLEAN = _set("checked disabled readonly required selected multiple")
# Of aria-*: what an element is called, and the states a shopper sees; the rest is wiring between elements.
_ARIA = frozenset(f"aria-{name}" for name in _set("label selected checked expanded current pressed disabled"))
# `label` is the visible text of an option group; `for` is told by the name of the field it leads to.
_WORDED = _ARIA | _set("type value placeholder maxlength min max step role alt title label")
KEPT = _BOOLEAN | _WORDED | {"contenteditable"}
"""Attributes that can remain."""
NOTABLE = KEPT | _HIDING | {"href", "onclick", "name", "id", "for"}
"""Attributes that anything here depends on; an element without any is as good as bare."""
_CAPTIONS = frozenset(("title", "aria-label"))
_TELLING = _CAPTIONS | {"alt"}


def is_hidden(tag: str, attributes: Attributes) -> bool:
    """Whether the element itself says that it is not to be seen."""
    if tag == "input" and attributes.get("type", "").strip().lower() == "hidden":
        return True
    if _HIDING.isdisjoint(attributes):
        return False
    return "hidden" in attributes or _is_true(attributes, "aria-hidden") or _style_hides(attributes.get("style", ""))


def is_disabled(attributes: Attributes) -> bool:
    """Whether the element can be seen but not used."""
    return "disabled" in attributes or _is_true(attributes, "aria-disabled")


def is_clickable(tag: str, attributes: Attributes) -> bool:
    """Whether the element would react to a click, were it enabled and not inside of one that does."""
    if tag in _CLICKABLE_TAGS or "onclick" in attributes or (tag == "a" and "href" in attributes):
        return True
    return "role" in attributes and not _CLICKABLE_ROLES.isdisjoint(attributes["role"].lower().split()[:1])


def is_field(tag: str, attributes: Attributes) -> bool:
    """Whether the element can be filled in."""
    return tag in _FIELDS or _is_editable(attributes)


def says_something(attributes: Attributes) -> bool:
    """Whether a reader learns something from the element even where it is empty, as from four stars out of five."""
    return not _TELLING.isdisjoint(attributes) and any(attributes.get(name, "").strip() for name in _TELLING)


def region_slug(tag: str, attributes: Attributes, unicode_names: bool) -> str:
    """What an element that is not interactive says that it is a region of; "" where it says nothing."""
    if tag in _NO_REGION:
        return ""
    get = attributes.get
    return _first_slug((get("aria-label"), get("name"), get("id") if tag in _LANDMARKS else None), unicode_names)


def clickable_slug(tag: str, attributes: Attributes, text: str, inside: str | None, unicode_names: bool) -> str:
    """The last part of a clickable's name; `inside` is the alternative text of what is inside of it."""
    get = attributes.get
    shown = get("value") if tag == "input" and get("type", "").strip().lower() in _BUTTON_TYPES else None
    said = text, get("title"), get("placeholder"), shown, get("alt"), get("aria-label"), inside, get("name"), tag
    return _first_slug(said, unicode_names)


def field_slug(tag: str, attributes: Attributes, unicode_names: bool) -> str:
    """The last part of the name of a field that is no clickable."""
    get = attributes.get
    return _first_slug((get("placeholder"), get("aria-label"), get("name"), tag), unicode_names)


def written(attributes: Attributes, text: str) -> str:
    """The attributes that remain, as they follow the tag; not those that only repeat the element's own text."""
    if KEPT.isdisjoint(attributes):
        return ""
    said = {text}
    if not _CAPTIONS.isdisjoint(attributes):
        said.update(_one_line(attributes.get(name, "")) for name in ("alt", "placeholder"))
    parts = []
    for name, raw in attributes.items():
        if name in _WORDED:
            value = _one_line(raw)
            if not value or (name == "value" and value == text) or (name in _CAPTIONS and value in said):
                continue
            if name in _CAPTIONS:
                said.add(value)
            quotable = escaped(value).replace('"', "&quot;")
            parts.append(f' {name}="{quotable}"')
        elif name in _BOOLEAN or (name == "contenteditable" and _is_editable(attributes)):
            parts.append(f" {name}")
    return "".join(parts)


def escaped(text: str) -> str:
    """The text as it stands between tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _first_slug(texts: Iterable[str | None], unicode_names: bool) -> str:
    for text in texts:
        if text and (found := slug(text, unicode_names=unicode_names)):
            return found
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _is_editable(attributes: Attributes) -> bool:
    return "contenteditable" in attributes and attributes["contenteditable"].strip().lower() != "false"


def _is_true(attributes: Attributes, name: str) -> bool:
    return name in attributes and attributes[name].strip().lower() == "true"


def _style_hides(style: str) -> bool:
    declared = {}
    for declaration in style.lower().split(";"):
        name, _, value = declaration.partition(":")
        declared[name.strip()] = value.strip().removesuffix("important").rstrip(" \t\n\f!")
    return (
        declared.get("display") == "none"
        or declared.get("visibility") == "hidden"
        or _is_zero(declared.get("opacity", ""))
    )


def _is_zero(opacity: str) -> bool:
    try:
        return float(opacity.removesuffix("%")) <= 0
    except ValueError:
        return False
