"""Pages of about 100 tokens, for models and tests that are to learn in minutes: all that matters, and nothing else."""

from collections.abc import Iterable
from html import escape
from itertools import groupby
from random import Random

from trainer.sessions.storefront.catalogue import DEPARTMENTS
from trainer.sessions.storefront.draws import pick
from trainer.sessions.storefront.views import SEARCH_KEY, Cart, Choice, Home, Kind, Product, Results, Reviews, View
from trainer.sessions.storefront.wording import REFINEMENTS, VERDICTS, dollars, heading, rating


def tiny_page(view: View, noise: Random) -> str:
    """The raw HTML of a page. Elements that can be chosen carry their choice's key as `data-key`."""
    match view.page:
        case Home() as page:
            parts = _home(page)
        case Results() as page:
            parts = _results(page)
        case Product() as page:
            parts = _product(page, view)
        case Reviews(product=product):
            parts = [
                f"<h1>Reviews of {product.offer.thing}</h1><p>{rating(product.offer)}</p>",
                f"<p>{pick(noise, VERDICTS[product.offer.verdict])}</p>",
                _link(Choice(Kind.BACK), "Back to product"),
            ]
        case Cart() as page:
            parts = _cart(page)
    return f'<!doctype html><body><input name="search_input" data-key="{SEARCH_KEY}">{"".join(parts)}</body>'


def _home(page: Home) -> list[str]:
    recent = (
        _link(Choice(Kind.RECENT, place), str(thing)) if offer else f"<p>{thing}, sold out</p>"
        for place, (thing, offer) in enumerate(page.recent)
    )
    departments = (_link(Choice(Kind.DEPARTMENT, number), DEPARTMENTS[number]) for number in page.departments)
    return [
        _link(Choice(Kind.DEALS), "Deals"),
        _region("departments", departments),
        "<p>Recently viewed:</p>",
        _region("recently_viewed", recent),
    ]


def _results(page: Results) -> list[str]:
    applied = "".join(f"<p>Applied: {escape(REFINEMENTS[refinement][1])}</p>" for refinement in page.applied)
    number = f", page {page.number}" if page.number > 1 else ""
    groups = groupby(page.open_refinements, key=lambda refinement: REFINEMENTS[refinement][0])
    refinements = (
        _region(group, (_link(Choice(Kind.REFINE, int(each)), REFINEMENTS[each][1]) for each in members))
        for group, members in groups
    )
    items = (
        _region(
            str(offer.thing), (f"{dollars(offer)} {rating(offer)}", _link(Choice(Kind.ITEM, place), "View product"))
        )
        for place, offer in enumerate(page.items)
    )
    return [
        f"<p>{heading(page)}{number}</p>{applied}",
        _region("refinements", refinements) if page.open_refinements else "",
        _region("search_results", items) if page.items else "<p>Nothing found. Use fewer or more general words.</p>",
        "" if page.is_last else _link(Choice(Kind.NEXT), "Next page"),
    ]


def _product(page: Product, view: View) -> list[str]:
    offer = page.offer
    parts = [f"<h1>{offer.thing}</h1><p>{dollars(offer)} {rating(offer)}</p>"]
    if page.needs_size:
        sizes = (_button(Choice(Kind.SIZE, number), size) for number, size in enumerate(offer.sizes))
        parts += ["<p>Choose first:</p>", _region("product_options", [_region("size", sizes)])]
    else:
        parts += [f"<p>Chosen: {offer.sizes[page.size]}</p>"] if page.size is not None else []
        buttons = (_button(Choice(Kind.ADD), "Add to cart"), _button(Choice(Kind.BUY), "Buy now"))
        parts.append(_region("add_to_cart", buttons))
    parts.append(_link(Choice(Kind.REVIEWS), "Read reviews") if offer.number not in view.reviewed else "")
    parts.append(_link(Choice(Kind.BACK), "Back to results") if view.results else "")
    return parts


def _cart(page: Cart) -> list[str]:
    if page.offer is None:
        return [
            "<h1>Cart</h1><p>There is nothing in your cart yet.</p>",
            _link(Choice(Kind.CONTINUE), "Continue shopping"),
        ]
    buttons = (
        _button(Choice(Kind.REMOVE), "Remove"),
        _button(Choice(Kind.CHECKOUT), "Checkout"),
        _link(Choice(Kind.CONTINUE), "Continue shopping"),
    )
    return [f"<h1>Cart</h1><p>{page.offer.thing}, {dollars(page.offer)}</p>", _region("cart", buttons)]


def _region(name: str, inside: Iterable[str]) -> str:
    """What can be clicked inside is named after the region; a span that only has a name leaves no other trace."""
    return f'<span name="{name}">{"".join(inside)}</span>'


def _link(choice: Choice, text: str) -> str:
    return f'<a href="#" data-key="{choice.key}">{escape(text)}</a>'


def _button(choice: Choice, text: str) -> str:
    return f'<button data-key="{choice.key}">{text}</button>'
