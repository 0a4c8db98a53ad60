"""Simplified pages as data sets have them: what their elements are called, and whether their markup nests."""

import re
from collections.abc import Sequence, Set
from html import unescape

from trainer.sessions.schema import Session

PageNames = Sequence[Set[str] | None]
"""The names on each page of a session; None where no page was recorded."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


VOID_TAGS = _set("area base br col embed hr img input link meta param source track wbr")
"""Tags that have no end tag."""

_END_OPTIONAL = _set("html head body li dt dd p rt rp optgroup option colgroup caption thead tbody tfoot tr td th")
_SHOWN = 40
"""Most characters of a tag that a reason tells."""
# A tag, with the text that follows it where that is no markup; a comment; a declaration. What is not finished runs to
# the end of the page, as in HTML, so that nothing is ever read twice.
_MARKUP = re.compile(
    r"""<(?:
        (?:(?=[sStT])(?P<raw>(?i:script|style|textarea|title))(?=[\s/>]) | (?P<end>/?+)(?P<tag>[a-zA-Z][^\s/>]*+))
        (?P<attributes>(?:[^>=/]++ | /(?!>) | =\s*+(?:"[^"]*+(?:"|\Z) | '[^']*+(?:'|\Z) | [^\s>]*+))*+)
        (?P<finish>/?+>)?+
        (?(raw)(?:(?<=/>) | .*?(?=</(?i:(?P=raw))[\s/>]|\Z)))
      | !--(?:-?>|.*?(?:--!?>|(?P<unfinished>\Z)))
      | [!?][^>]*+
    )""",
    re.ASCII | re.DOTALL | re.VERBOSE,
)
_ATTRIBUTE = re.compile(r"""([^\s/>=]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>][^\s>]*+)))?+""", re.ASCII)
_NAMING = re.compile("name|parser-semantic-id", re.IGNORECASE | re.ASCII)


def names_by_page(session: Session) -> PageNames:
    """The names on each of a session's pages."""
    return [set(names_on(step.html)) if step.html else None for step in session.steps]


def names_on(html: str) -> list[str]:
    """The names of a simplified page's elements, in document order.

    An element's name is its `name`, as here and in OPeRA, or its `parser-semantic-id`, as in UXAgent's own pages, where
    `name` is what the shop's form calls it.
    """
    names = []
    for match in _MARKUP.finditer(html):
        attributes = match["attributes"]
        if attributes and match["finish"] and not match["end"] and _NAMING.search(attributes):
            name = _name_among(attributes)
            if name:
                names.append(unescape(name))
    return names


def _name_among(attributes: str) -> str:
    values: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(attributes):
        values.setdefault(name.lower(), double or single or bare)
    return values.get("parser-semantic-id") or values.get("name", "")


def well_formed(html: str) -> str | None:
    """None where the markup nests, else why it does not; characters are counted from 0.

    Void elements have no end tag, and some elements may leave theirs out, as HTML has it; `<a/>` also is a whole one.
    """
    stack: list[tuple[str, int]] = []
    empty = True
    for match in _MARKUP.finditer(html):
        raw, end, tag, finish = match.group("raw", "end", "tag", "finish")
        if not (raw or tag):
            if match["unfinished"] is not None:
                return f"the comment at character {match.start()} is never finished"
            continue
        if not finish:
            return f"the tag at character {match.start()} is never finished"
        tag = (raw or tag).lower()
        if not end:
            empty = False
            if finish == ">" and tag not in VOID_TAGS:
                stack.append((tag, match.start()))
        elif stack and stack[-1][0] == tag:
            stack.pop()
        else:
            fault = _close(stack, tag, match.start())
            if fault:
                return fault
    left_open = next((opened for opened in stack if opened[0] not in _END_OPTIONAL), None)
    if left_open:
        return _never_closed(left_open)
    return "no element" if empty else None


def _close(stack: list[tuple[str, int]], tag: str, at: int) -> str | None:
    """Take off the stack what an end tag closes; or say why it cannot."""
    for place in range(len(stack) - 1, -1, -1):
        opened, _ = stack[place]
        if opened == tag:
            del stack[place:]
            return None
        if opened not in _END_OPTIONAL:
            if any(outer == tag for outer, _ in stack[:place]):
                return _never_closed(stack[place])
            break
    return f"`</{tag[:_SHOWN]}>` at character {at} closes nothing"


def _never_closed(opened: tuple[str, int]) -> str:
    tag, at = opened
    return f"`<{tag[:_SHOWN]}>` opened at character {at} is never closed"
