"""The parts that all pages of a real shop share: header, footer, results, carousels.

Malformed on purpose, as real pages are: ampersands left bare, `<p>` and `<li>` left open, attributes twice or unquoted.
"""

from collections.abc import Iterable, Sequence
from html import escape
from random import Random

from trainer.sessions.storefront.catalogue import NOUNS, Offer
from trainer.sessions.storefront.draws import below, between, pick, sample
from trainer.sessions.storefront.full.clutter import Clutter
from trainer.sessions.storefront.full.titles import delivery_of, title_of
from trainer.sessions.storefront.full.words import BADGES, DEPARTMENT_LINKS, FOOTER
from trainer.sessions.storefront.views import SEARCH_KEY, Choice
from trainer.sessions.storefront.wording import dollars, rating


class Parts:
    """Builds the parts of one shop's pages."""

    def __init__(self, clutter: Clutter, offers: Sequence[Offer]) -> None:
        """`offers` are what is advertised."""
        self._clutter = clutter
        self._offers = offers

    def whole(self, title: str, main: str, noise: Random, state_rows: int) -> str:
        """A page around its main part."""
        clutter = self._clutter
        return f"""<!DOCTYPE html>
<html lang=en class="js no-touch" CLASS="again">
{clutter.head(escape(title), noise)}
<body onload="window.ue&&ue.tag(1)" data-aui-build={below(noise, 9999)}>
{clutter.all_unseen(noise)}
{self._header(noise)}
<main {clutter.attributes(noise)}>
{main}
</main>
{self._footer(noise)}
{clutter.state(noise, state_rows)}
<img src=//beacon.example/{below(noise, 99999)}.gif height="1" width="1" style="display:none" alt="">
</font></body></html><!-- generated in {below(noise, 900)} ms -->"""

    def result(self, offer: Offer, choice: Choice, noise: Random) -> str:
        """One result of a list."""
        return self._card(offer, f'data-key="{choice.key}"', "", noise)

    def sponsored(self, noise: Random) -> str:
        """A result that nobody asked for; shoppers never take one."""
        return self._card(pick(noise, self._offers), "data-ad=1", _SPONSORED, noise)

    def carousel(self, heading: str, count: int, noise: Random) -> str:
        """Offers that nobody asked for either."""
        cards = "\n".join(
            f"""<LI {self._clutter.attributes(noise)}>
<a href="/product/{offer.number}?ref=rhf&pos={place}"><img src=/i/{offer.number}.jpg ALT="">{_title(offer)}</a>
<span>{rating(offer)} ({offer.ratings})</span> <B>{dollars(offer)}</B>"""
            for place, offer in enumerate(sample(noise, self._offers, count))
        )
        return f"""<div aria-label="{heading}" {self._clutter.attributes(noise)}><h2>{heading}</h2>
<ol>{cards}</ol><button onclick="c.go(1)">Next slides</button></div>{self._clutter.unseen(noise)}"""

    def links(self, texts: Iterable[str], noise: Random) -> str:
        """Links in list items that are never closed."""
        return "\n".join(
            f'<li {self._clutter.attributes(noise)}><a HREF="/l/{below(noise, 9999)}?a=1&b=2">{text}</a>'
            for text in texts
        )

    def _card(self, offer: Offer, extra: str, above: str, noise: Random) -> str:
        badge = f"<span class=badge>{pick(noise, BADGES)}</span>" if below(noise, 3) == 0 else ""
        was = f"<s>${offer.price + between(noise, 2, 20)}</s>" if below(noise, 4) == 0 else ""
        return f"""<div role="listitem" aria-label="{_title(offer)}" {self._clutter.attributes(noise)}>
{above}{badge}<a href="/product/{offer.number}?img" title="Picture"><img src="/i/{offer.number}.jpg"></a>
<h2>{_title(offer)}</h2><p>{rating(offer)}&nbsp;({offer.ratings} ratings)<p><b>{dollars(offer)}</b> {was}
<p>{delivery_of(offer)} & free returns</p>
<a class=btn class=primary {extra} href=/product/{offer.number}?sr&ref=pd onmousedown="csa(this)">View product</a>
<button type=button>Add to list</button>{self._clutter.unseen(noise)}</div>"""

    def _header(self, noise: Random) -> str:
        options = "".join(f"<option value={number}>{noun.name.title()}" for number, noun in enumerate(NOUNS))
        return f"""<header {self._clutter.attributes(noise)}>
<a href="/" title="Storefront"><svg><path d="M0 0h24"/></svg></a>
<FORM action="/search" method=get><select name="in" onchange="s(this)"><option>All departments{options}</select>
<input type="text" name="search_input" autocomplete=off maxlength=256 data-key="{SEARCH_KEY}" value="">
<input type="submit" value="Go"></FORM>
<a href="/account">Hello, sign in<br>Account & Lists</a><a href="/orders">Returns & Orders</a><a href="/cart">Basket</a>
<nav id="nav_bar"><ul>{self.links(DEPARTMENT_LINKS, noise)}</ul></nav></header>"""

    def _footer(self, noise: Random) -> str:
        columns = "\n".join(
            f"<div aria-label='{heading}'><h6>{heading}</h6><ul>{self.links(texts, noise)}</ul></div>"
            for heading, texts in FOOTER.items()
        )
        return f"""<footer {self._clutter.attributes(noise)}><a href="#top">Back to top</a>{columns}
<p>&copy; 2011&ndash;2026, Storefront Handels-GmbH & Cie. KG &mdash; all prices in US$</footer>"""


_SPONSORED = '<span>Sponsored</span> <a href="#" role=button>Leave ad feedback</a>'


def _title(offer: Offer) -> str:
    return escape(title_of(offer.thing, offer.number))
