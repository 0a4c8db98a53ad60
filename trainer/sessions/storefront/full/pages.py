"""Pages as long and messy as a real shop's. What matters to shoppers is the same as in the tiny ones."""

from collections.abc import Iterable
from html import escape
from itertools import groupby
from random import Random

from trainer.sessions.storefront.catalogue import COLOURS, DEPARTMENTS, MATERIALS, NOUNS, Offer
from trainer.sessions.storefront.draws import below, between, pick, random_for, sample
from trainer.sessions.storefront.full import words
from trainer.sessions.storefront.full.clutter import Clutter
from trainer.sessions.storefront.full.parts import Parts
from trainer.sessions.storefront.full.titles import delivery_of, title_of
from trainer.sessions.storefront.views import Cart, Choice, Home, Kind, Product, Results, Reviews, View
from trainer.sessions.storefront.wording import REFINEMENTS, VERDICTS, dollars, heading, rating


class FullPages:
    """The raw pages of one shop. Elements that can be chosen carry their choice's key as `data-key`."""

    def __init__(self, seed: int, offers: tuple[Offer, ...]) -> None:
        self._clutter = Clutter(random_for("clutter", seed))
        self._parts = Parts(self._clutter, offers)

    def __call__(self, view: View, noise: Random) -> str:
        """The raw HTML of a page, 300 to 900 thousand characters."""
        match view.page:
            case Home() as page:
                title, main, rows = "Storefront: low prices & more", self._home(page, noise), 300
            case Results() as page:
                title, main, rows = f"{heading(page)} : Storefront", self._results(page, noise), 900
            case Product() as page:
                title, main, rows = _title(page.offer), self._product(page, view, noise), 700
            case Reviews(product=product):
                title, main, rows = "Customer reviews", self._reviews(product.offer, noise), 400
            case Cart() as page:
                title, main, rows = "Your basket", self._cart(page, noise), 300
        return self._parts.whole(title, main, noise, rows)

    def _home(self, page: Home, noise: Random) -> str:
        departments = (_link(Choice(Kind.DEPARTMENT, number), DEPARTMENTS[number]) for number in page.departments)
        recent = (
            f"<li>{_link(Choice(Kind.RECENT, place), title_of(thing, offer.number))} {dollars(offer)}"
            if offer
            else f"<li>{escape(title_of(thing, -1))} <i>sold out</i>"
            for place, (thing, offer) in enumerate(page.recent)
        )
        return f"""<div class=hero><img src="/hero.jpg" alt="Winter is here">{_link(Choice(Kind.DEALS), "Deals")}</div>
<div aria-label="Departments">{"".join(departments)}</div>
<div aria-label="Recently viewed"><h2>Recently viewed</h2><ul>{"".join(recent)}</ul></div>
{self._carousels(("Bestsellers", "Because of the weather", "New & noteworthy", "Top rated"), noise)}"""

    def _results(self, page: Results, noise: Random) -> str:
        cards = [self._parts.result(offer, Choice(Kind.ITEM, place), noise) for place, offer in enumerate(page.items)]
        for _ in range(between(noise, 3, 6)):
            cards.insert(below(noise, len(cards) + 1), self._parts.sponsored(noise))
        applied = "".join(f"<p>Applied: {escape(REFINEMENTS[refinement][1])}" for refinement in page.applied)
        number = "" if page.is_last else f'<nav aria-label="Pagination">{_link(Choice(Kind.NEXT), "Next page")}</nav>'
        nothing = "" if page.items else "<p>Nothing found. Use fewer or more general words.</p>"
        return f"""<h1>{heading(page)}</h1><p>Page {page.number}{applied}
<div aria-label="Refinements" {self._clutter.attributes(noise)}>{self._sidebar(page, noise)}</div>
{nothing}<div aria-label="Search results" {self._clutter.attributes(noise)}>
{"".join(cards)}
</div>
{number}
{self._carousels(("Sponsored products", "Customers also viewed"), noise)}"""

    def _sidebar(self, page: Results, noise: Random) -> str:
        parts = [
            f'<div aria-label="{group}"><h4>{group}</h4>'
            + "".join(_link(Choice(Kind.REFINE, int(each)), REFINEMENTS[each][1]) for each in members)
            + "</div>"
            for group, members in groupby(page.open_refinements, key=lambda refinement: REFINEMENTS[refinement][0])
        ]
        parts += [
            f'<div aria-label="{group}"><h4>{group}</h4><ul>{self._parts.links(texts, noise)}</ul></div>'
            for group, texts in words.SIDEBAR.items()
        ]
        return "\n".join(parts)

    def _product(self, page: Product, view: View, noise: Random) -> str:
        offer = page.offer
        fixed = random_for("product", offer.number, offer.thing)
        about = "".join(f"<li>{_filled(text, offer)}" for text in words.ABOUT)
        rows = "".join(
            f"<tr><th>{name}<td>{text.format(between(fixed, 20, 900))}" for name, text in words.SPECIFICATIONS.items()
        )
        questions = "".join(
            f"<P>Question: {_filled(question, offer)}<p>Answer: {_filled(answer, offer)} by {pick(fixed, words.NAMES)}"
            for question, answer in sample(fixed, words.QUESTIONS, 6)
        )
        read = "" if offer.number in view.reviewed else _link(Choice(Kind.REVIEWS), "Read reviews")
        back = _link(Choice(Kind.BACK), "Back to results") if view.results else ""
        return f"""{back}<h1>{escape(_title(offer))}</h1>
<p>{rating(offer)} ({offer.ratings} ratings)<p><b>{dollars(offer)}</b> &mdash; {delivery_of(offer)}
{self._purchase(page)}
<div aria-label="About this item"><h2>About this item</h2><ul>{about}</ul></div>
<table {self._clutter.attributes(noise)}>{rows}</table>
<div aria-label="Questions"><h2>Questions & answers</h2>{questions}<a href="/ask">Ask a question</a></div>
<div aria-label="Customer reviews"><h2>Customer reviews</h2>{read}<a href="/review/new">Write a review</a></div>
{self._carousels(("Frequently bought together", "Customers also viewed", "More to explore"), noise)}"""

    def _purchase(self, page: Product) -> str:
        """Sizes, then the buttons; as long as no size is chosen these are there, but cannot be used."""
        sizes = page.offer.sizes
        if page.needs_size:
            buttons = "".join(_button(Choice(Kind.SIZE, number), size) for number, size in enumerate(sizes))
            return f"""<div aria-label="Product options"><div aria-label="Size">Size: {buttons}</div></div>
<div aria-label="Add to cart"><button disabled>Add to cart</button><button disabled>Buy now</button></div>"""
        chosen = f"<p>Chosen size: {sizes[page.size]}" if page.size is not None else ""
        return f"""{chosen}<div aria-label="Add to cart">{_button(Choice(Kind.ADD), "Add to cart")}
{_button(Choice(Kind.BUY), "Buy now")}<button type=button>Add to gift list</button></div>"""

    def _reviews(self, offer: Offer, noise: Random) -> str:
        fixed = random_for("reviews", offer.number, offer.thing)
        reviews = "\n".join(self._review(offer, fixed, noise) for _ in range(between(fixed, 8, 20)))
        return f"""<h1>Reviews of {escape(_title(offer))}</h1><p>{rating(offer)} ({offer.ratings} ratings)
<p>Customers say: {pick(fixed, VERDICTS[offer.verdict])}<p>{_link(Choice(Kind.BACK), "Back to product")}
<div aria-label="Reviews">{reviews}</div><a href="?page=2">More reviews</a>
{self._carousels(("Customers also viewed", "More to explore"), noise)}"""

    def _review(self, offer: Offer, fixed: Random, noise: Random) -> str:
        likes = fixed.random() < (0.15, 0.5, 0.85)[offer.verdict + 1]
        said = sample(fixed, words.PRAISE if likes else words.COMPLAINTS, 3) + sample(fixed, words.CHATTER, 2)
        text = " ".join(_filled(sentence, offer) for sentence in sample(fixed, said, len(said)))
        return f"""<div {self._clutter.attributes(noise)}><h5>{pick(fixed, words.REVIEW_TITLES[likes])}</h5>
<i>{pick(fixed, words.NAMES)}, {between(fixed, 1, 28)} May 202{below(fixed, 6)}</i><p>{text}
<p>{below(fixed, 60)} people found this helpful <button>Helpful</button><a href="/abuse">Report</a></div>"""

    def _cart(self, page: Cart, noise: Random) -> str:
        more = _link(Choice(Kind.CONTINUE), "Continue shopping")
        carousels = self._carousels(
            ("Recommended for you", "Buy it again", "Inspired by your visit", "Bestsellers"), noise
        )
        if page.offer is None:
            return f'<div aria-label="Cart"><h1>Cart</h1><p>Your cart is empty.<p>{more}</div>{carousels}'
        return f"""<div aria-label="Cart"><h1>Cart</h1><p>{escape(_title(page.offer))} <b>{dollars(page.offer)}</b>
<select name="quantity"><option selected>1<option>2<option>3</select>{_button(Choice(Kind.REMOVE), "Remove")}
{_button(Choice(Kind.CHECKOUT), "Checkout")}{more}</div>
{carousels}"""

    def _carousels(self, headings: Iterable[str], noise: Random) -> str:
        return "\n".join(self._parts.carousel(escape(text), 12, noise) for text in headings)


def _title(offer: Offer) -> str:
    return title_of(offer.thing, offer.number)


def _filled(text: str, offer: Offer) -> str:
    """A text about one offer; ampersands stay bare."""
    colour, material, noun = offer.thing
    return text.format(colour=COLOURS[colour], material=MATERIALS[material], noun=NOUNS[noun].name)


def _link(choice: Choice, text: str) -> str:
    return f'<a href="/go?to={choice.kind}&n={choice.argument}" data-key="{choice.key}">{escape(text)}</a>'


def _button(choice: Choice, text: str) -> str:
    return f'<button type="submit" data-key="{choice.key}" onclick="go(event)">{text}</button>'
