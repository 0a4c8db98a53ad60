"""The raw HTML of a shop's page -> the simplified HTML that a language model reads, its interactive elements named.

The recipe is that of UXAgent (arXiv 2504.09407), as its public parser has it, without a browser: what scripts and style
sheets do to a page is not seen. Three things are our own. Text stays where it stands between elements. What the parser
would name after its tag alone (`input`, `input1`, … tell a model nothing) is named after its value, alternative text,
`aria-label` or raw `name` first. And regions give names too, as they do in OPeRA and ShopCART.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from lxml import etree

from trainer.sessions.elements import (
    BARE_INLINE,
    CONTROLS,
    DROPPED,
    INLINE,
    KEPT,
    NOTABLE,
    SHELL,
    Attributes,
    clickable_slug,
    escaped,
    field_slug,
    is_clickable,
    is_disabled,
    is_field,
    is_hidden,
    region_slug,
    says_something,
    written,
)
from trainer.sessions.markup import MarkupError, as_utf8
from trainer.sessions.naming import UniqueNames
from trainer.sessions.page import VOID_TAGS

__all__ = ["MAX_DEPTH", "MarkupError", "Simplified", "simplify"]

MAX_DEPTH = 1024
"""Most elements that may stand inside one another; browsers themselves stop nesting at 512."""

_MAX_PARTS = 8
"""Most parts that a name takes over from what is outside; without a limit, names could make a page far longer."""
_FEW_TEXTS = 64
"""Pieces of text that are compared with an element's title; without a limit, nested titles could take long."""
_TAG = re.compile(r"[a-z][a-z0-9-]*")
_WBR = re.compile(rb"<wbr\b[^<>]*>", re.IGNORECASE)


class Simplified(NamedTuple):
    """A simplified page."""

    html: str
    """One line without indentation; interactive elements carry their name as the attribute `name`."""
    names: list[str]
    """The elements' names, each once, in document order."""
    names_by_key: dict[str, str]
    """Value of the key attribute -> name of the first element with that value, for elements with a name."""


def simplify(markup: str | bytes, *, key: str | None = None, unicode_names: bool = False) -> Simplified:
    """Simplify a page, in linear time; malformed markup is recovered from much as browsers do.

    `key` is an attribute of the raw page whose values lead to names; with `unicode_names`, names keep letters of every
    script. Raises MarkupError for bytes in mixed encodings, half of a surrogate pair, elements nested more than
    MAX_DEPTH deep, and where no element is in the markup or nothing of it can be seen.
    """
    page = _Page(key.lower() if key else "", unicode_names)
    source = as_utf8(markup)
    if b"<wbr" in source or b"<WBR" in source:
        source = _WBR.sub(b"", source)  # or a long word full of them would be nested too deep
    etree.fromstring(source, etree.HTMLParser(target=page, encoding="utf-8", huge_tree=True))
    return page.simplified()


@dataclass(slots=True, eq=False)
class _Named:
    """An element with a name, or a region that the elements inside of it are named after."""

    outer: "_Named | None"
    tag: str
    start: int
    """Where its start tag belongs among the page's strings."""
    parts: int
    """How many parts its name has."""
    slug: str = ""
    is_region: bool = False
    key: str | None = None
    alternative: str | None = None
    """The first alternative text inside of it."""
    rest: str = ""
    """What follows the name in its start tag."""
    name: str = ""


@dataclass(slots=True, eq=False)
class _Open:
    """An element whose end has not come yet."""

    tag: str
    attributes: Attributes
    within: _Named | None
    """What the elements inside of it are named after; so for the next two, of those it is inside of, or itself."""
    clickable: _Named | None
    select: _Named | None
    start: int
    """Where its start tag belongs among the page's strings."""
    first_text: int
    """Where its text begins among the page's texts."""
    named: _Named | None = None
    children: int = 0
    has_text: bool = False


_NONE: Attributes = {}
_DROPPED = _Open("", _NONE, None, None, None, 0, 0)


class _Page:
    """The page as the parser's events build it: strings to be joined, and beside them the text alone.

    A name needs the text inside of its element and the names outside of it, so names are given when all has been read.
    """

    def __init__(self, key: str, unicode_names: bool) -> None:
        self._key = key
        self._notable = NOTABLE | {key}
        self._unicode_names = unicode_names
        self._strings: list[str] = []
        self._texts: list[str] = []
        self._stack = [_Open("", _NONE, None, None, None, 0, 0)]
        self._named: list[_Named] = []
        self._by_id: dict[str, _Named] = {}
        self._labels: list[tuple[int, str, str]] = []

    def start(self, tag: str, attributes: Attributes) -> None:
        """An element begins."""
        stack = self._stack
        outer = stack[-1]
        if len(stack) > MAX_DEPTH:
            raise MarkupError(f"elements stand inside one another more than {MAX_DEPTH:,} deep")
        if outer is _DROPPED or tag in DROPPED:
            stack.append(_DROPPED)
            return
        if tag in SHELL or self._notable.isdisjoint(attributes):
            if tag in SHELL or tag in BARE_INLINE:
                stack.append(outer)
                return
            attributes = _NONE
        elif is_hidden(tag, attributes):
            stack.append(_DROPPED)
            return
        if tag not in INLINE:
            self._texts.append(" ")
        starts = len(self._strings), len(self._texts)
        opened = _Open(tag, attributes, outer.within, outer.clickable, outer.select, *starts)
        self._strings.append("")
        stack.append(opened)
        if attributes or tag in CONTROLS or tag in ("option", "summary", "area"):
            self._name(opened)

    def data(self, text: str) -> None:
        """Text, or a piece of it."""
        opened = self._stack[-1]
        if opened is _DROPPED:
            return
        self._texts.append(text)
        if text.isspace():
            self._strings.append(" ")
        else:
            self._strings.append(escaped(text))
            opened.has_text = True

    def end(self, _tag: str) -> None:
        """The element that began last, of those that have not ended, ends."""
        opened = self._stack.pop()
        outer = self._stack[-1]
        if opened is _DROPPED or opened is outer:
            return
        tag, named = opened.tag, opened.named
        rest = "" if named is None and KEPT.isdisjoint(opened.attributes) else self._describe(opened)
        if tag not in INLINE:
            self._texts.append(" ")
        if named is None and not rest and tag in BARE_INLINE:
            outer.children += opened.children
            outer.has_text |= opened.has_text
            if says_something(opened.attributes):  # in the same words as its text: a unit of its own
                self._strings[opened.start] = " "
                self._strings.append(" ")
            return
        if named is None and not self._remains(opened):
            self._strings[opened.start] = "" if tag in INLINE else " "
            return
        outer.children += 1
        if tag == "div" and opened.children == 1 and not (named or rest or opened.has_text):
            return
        shown = tag if _TAG.fullmatch(tag) else "div"
        if named is not None:
            named.tag, named.rest = shown, rest
        elif tag == "label" and "for" in opened.attributes:
            self._labels.append((opened.start, rest, opened.attributes["for"]))
        else:
            self._strings[opened.start] = f"<{shown}{rest}>"
        if shown not in VOID_TAGS:
            self._strings.append(f"</{shown}>")

    def close(self) -> "_Page":
        """All has been read."""
        return self

    def simplified(self) -> Simplified:
        """The page with its names. Raises MarkupError where nothing of it is left."""
        unique = UniqueNames()
        names: list[str] = []
        names_by_key: dict[str, str] = {}
        for named in self._named:
            named.name = f"{named.outer.name}.{named.slug}" if named.outer else named.slug
            if named.is_region:
                continue
            named.name = unique.take(named.name)
            names.append(named.name)
            if named.key is not None:
                names_by_key.setdefault(named.key, named.name)
            self._strings[named.start] = f'<{named.tag} name="{named.name}"{named.rest}>'
        for index, rest, ident in self._labels:
            field = f' for="{self._by_id[ident].name}"' if ident in self._by_id else ""
            self._strings[index] = f"<label{field}{rest}>"
        html = " ".join("".join(self._strings).split()).replace("> ", ">").replace(" <", "<")
        if not html:
            raise MarkupError("nothing on the page can be seen")
        return Simplified(html, names, names_by_key)

    def _name(self, opened: _Open) -> None:
        """Note down what the element will be called after, if anything is to be."""
        tag, attributes, surrounding = opened.tag, opened.attributes, opened.clickable
        if surrounding is not None and surrounding.alternative is None:
            surrounding.alternative = attributes.get("alt") or attributes.get("aria-label")
        usable = not is_disabled(attributes)
        if tag == "option":
            outer = opened.select
            clickable = usable and outer is not None and not (surrounding and surrounding.tag == "option")
        else:
            outer = opened.within
            clickable = usable and surrounding is None and is_clickable(tag, attributes)
        parts = outer.parts + 1 if outer else 1
        if clickable or (usable and "readonly" not in attributes and is_field(tag, attributes)):
            named = opened.named = _Named(outer, tag, opened.start, parts, key=attributes.get(self._key))
            if "id" in attributes:
                self._by_id.setdefault(attributes["id"], named)
            if clickable:
                opened.clickable = named
            if tag == "select":
                opened.select = named
        elif region := region_slug(tag, attributes, self._unicode_names):
            named = _Named(outer, tag, opened.start, parts, region, is_region=True)
        else:
            return
        self._named.append(named)
        if named.parts <= _MAX_PARTS:
            opened.within = named

    def _describe(self, opened: _Open) -> str:
        """The attributes that remain of the element; and its slug is settled, if it has a name."""
        tag, attributes, named = opened.tag, opened.attributes, opened.named
        text = ""
        if named is not None and opened.clickable is named:
            text = " ".join("".join(self._texts[opened.first_text :]).split())
            named.slug = clickable_slug(tag, attributes, text, named.alternative, self._unicode_names)
        elif named is not None:
            named.slug = field_slug(tag, attributes, self._unicode_names)
        elif not opened.children and len(self._texts) - opened.first_text <= _FEW_TEXTS:
            text = " ".join("".join(self._texts[opened.first_text :]).split())
        return written(attributes, text)

    @staticmethod
    def _remains(opened: _Open) -> bool:
        filled = opened.has_text or opened.children
        return bool(filled) or opened.tag in CONTROLS or says_something(opened.attributes)
