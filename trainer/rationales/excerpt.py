"""A page cut to a length, around the element that was acted on."""

from html import escape
from typing import NamedTuple


class Excerpt(NamedTuple):
    """A page, or the part of it that is shown."""

    text: str
    is_cut: bool


def excerpt(html: str, name: str | None, limit: int) -> Excerpt:
    """At most `limit` characters of a page, markers aside: those around the element called `name`.

    Where no element has that name, or none is meant, they are the page's first. The parts left out are marked with
    their lengths, and the cuts fall between tags where a tag ends near.
    """
    if len(html) <= limit:
        return Excerpt(html, is_cut=False)
    start = max(0, min(_place(html, name) - limit // 2, len(html) - limit))
    end = start + limit
    slack = limit // 10
    if start > 0:
        tag = html.find("<", start, start + slack)
        start = start if tag < 0 else tag
    if end < len(html):
        tag = html.rfind(">", end - slack, end)
        end = end if tag < 0 else tag + 1
    return Excerpt(f"{_marker(start)}{html[start:end]}{_marker(len(html) - end)}", is_cut=True)


def _place(html: str, name: str | None) -> int:
    """Where the element called `name` stands; 0 where it does not."""
    if not name:
        return 0
    for quoted in (f'="{escape(name)}"', f"='{escape(name)}'", f'="{name}"', name):
        if (place := html.find(quoted)) >= 0:
            return place
    return 0


def _marker(length: int) -> str:
    return f"\n[… {length:,} characters of the page left out …]\n" if length else ""
