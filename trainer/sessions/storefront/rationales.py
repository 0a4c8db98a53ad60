"""Why, in the shopper's own words: one sentence for the term that spoke most for the action."""

from collections.abc import Mapping
from random import Random

from trainer.sessions.storefront.catalogue import COLOURS, MATERIALS, NOUNS, Offer, Thing
from trainer.sessions.storefront.draws import pick
from trainer.sessions.storefront.policy import Alternative, Reason
from trainer.sessions.storefront.shoppers import BUDGETS, Shopper
from trainer.sessions.storefront.views import Cart, Home, Kind, Page, Product, Results, Reviews, View

_NEVER_SAID = frozenset((Reason.USUAL, Reason.ORDER, Reason.SEEN))
"""Terms that nobody gives as a reason."""

_LEAVE_IT = {
    Reason.WRONG: ("This is not {wish}, so I {do}.", "I wanted {wish} and this is something else, so I {do}."),
    Reason.DEAR: ("It costs more than I want to pay, so I {do}.", "At {price} it is too much for me, so I {do}."),
    Reason.POOR_STARS: ("I do not trust {stars} stars, so I {do}.", "Only {stars} stars put me off, so I {do}."),
    Reason.POOR_REVIEWS: ("The reviews put me off, so I {do}.", "I do not like what buyers say, so I {do}."),
    Reason.TIRED: (
        "I have looked long enough, so I {do}.",
        "I am tired of looking, so I {do}.",
        "This takes too long for me, so I {do}.",
    ),
    Reason.NOTHING_FITS: (
        "I do not find {wish} here, so I {do}.",
        "None of these is right for me, so I {do}.",
        "I see nothing that I want, so I {do}.",
    ),
    Reason.ALL_DEAR: ("Too much here costs more than I want to pay, so I {do}.",),
}
"""Reasons to turn away from what is on the page; `do` says where to."""

_DO = {
    Kind.SEARCH: ("search again", "try other words"),
    Kind.BACK: ("go back to the others",),
    Kind.NEXT: ("go to the next page",),
    Kind.REMOVE: ("take it out of my cart",),
    Kind.LEAVE: ("leave", "stop here"),
}

_WORDS: Mapping[tuple[Kind, Reason], tuple[str, ...]] = {
    (Kind.SEARCH, Reason.WISH): (
        "I want {wish}, so I search for it.",
        "I know what I want, so I search for it.",
        "I look for {wish}.",
    ),
    (Kind.SEARCH, Reason.NARROW): (
        "I should say more clearly what I want.",
        "My last search said too little, so I add a word.",
    ),
    (Kind.SEARCH, Reason.USUAL): ("I want to see what else there is.",),
    (Kind.DEALS, Reason.PRICE): ("I want to pay little, so I look at the deals.",),
    (Kind.DEALS, Reason.USUAL): ("I want to see the deals first.",),
    (Kind.DEPARTMENT, Reason.WISH): ("I look for {wish} in this department.",),
    (Kind.DEPARTMENT, Reason.USUAL): ("I want to look around first.",),
    (Kind.RECENT, Reason.PRICE): ("I saw this before and like the price of {price}.",),
    (Kind.RECENT, Reason.USUAL): ("I saw this before and want to see it again.",),
    (Kind.ITEM, Reason.PRICE): ("I like the price of {price}, so I take a look.",),
    (Kind.ITEM, Reason.STARS): ("It has {stars} stars, so I take a look.",),
    (Kind.ITEM, Reason.USUAL): ("It is not quite what I want, but I take a look.",),
    (Kind.REFINE, Reason.PRICE): (
        "I only want to see what I can pay for.",
        "Much of this costs too much for me, so I sort it out.",
    ),
    (Kind.REFINE, Reason.POOR_STARS): ("I only want what others like.",),
    (Kind.REFINE, Reason.HURRY): ("I do not want to wait for it long.",),
    (Kind.REFINE, Reason.USUAL): ("I want to see fewer of them.",),
    (Kind.NEXT, Reason.USUAL): ("I want to see more of them first.",),
    (Kind.SIZE, Reason.WISH): ("I like it, so I choose size {size}.", "This is right for me, and I take size {size}."),
    (Kind.SIZE, Reason.USUAL): ("I have to choose before I can buy, so I take size {size}.",),
    (Kind.ADD, Reason.WISH): ("I like it, so I put it in my cart.", "This is right for me, so into my cart it goes."),
    (Kind.ADD, Reason.USUAL): ("I put it in my cart for now.",),
    (Kind.BUY, Reason.WISH): ("This is right for me, so I buy it now.", "I like it, so I buy it now."),
    (Kind.BUY, Reason.HURRY): ("I do not want to look any longer, so I buy it now.",),
    (Kind.BUY, Reason.USUAL): ("It will do for me, so I buy it now.",),
    (Kind.REVIEWS, Reason.UNSURE): ("I am not sure about it, so I read what others say.",),
    (Kind.REVIEWS, Reason.USUAL): ("I want to know what others say.",),
    (Kind.BACK, Reason.WISH): ("I still want it, so I go back to it.",),
    (Kind.BACK, Reason.REVIEWS): ("I like what buyers say, so I go back to it.",),
    (Kind.BACK, Reason.USUAL): ("I want to see it again.", "I go back and look again."),
    (Kind.CHECKOUT, Reason.WISH): ("I have what I want, so I pay.",),
    (Kind.REMOVE, Reason.USUAL): ("I do not want it after all.",),
    (Kind.CONTINUE, Reason.USUAL): ("I want to look at some more first.",),
    (Kind.LEAVE, Reason.USUAL): ("I only wanted to look around today.", "I have seen enough for today."),
}

_AGREEING = {
    (True, True): (
        "This is just what I want.",
        "This looks right for me, so I open it.",
        "I want {wish}, and here it is.",
    ),
    (True, False): ("It is {colour}, as I want it, so I take a look.", "I wanted {wish}, but {colour} is a start."),
    (False, True): ("It is {material}, as I want it, so I take a look.",),
}
"""Whether colour and material of an offer are those of the wish."""

_SEEN_IT = ("I have seen the one I want and did not like it, so I {do}.",)
_TOO_DEAR = (
    "What I want costs too much here, so I {do}.",
    "It is here, but I cannot pay that much, so I {do}.",
)
_NOT_CONVINCED = ("I am not happy with what I see, so I {do}.",)
"""Reasons to turn away from a list that does hold what is wanted."""


def rationale(alternative: Alternative, place: int, view: View, shopper: Shopper, random: Random) -> str:
    """One sentence in the first person; `place` is the shopper's row in the alternative's terms."""
    kind = alternative.choice.kind
    wish = shopper.wish
    slots = {"wish": _one(wish), "colour": COLOURS[wish.colour], "material": MATERIALS[wish.material]}
    if kind in _DO:
        slots["do"] = pick(random, _DO[kind])
    offer = _offer(view.page, alternative)
    if offer is not None:
        slots |= {"price": f"${offer.price}", "stars": f"{offer.stars:g}"}
    if offer is not None and kind is Kind.SIZE:
        slots["size"] = offer.sizes[alternative.choice.argument]
    reason = _reason(alternative, place)
    if reason is Reason.NOTHING_FITS:
        templates = _why_nothing_fits(view, shopper)
    elif reason is Reason.FIT and offer is not None:
        templates = _AGREEING[offer.thing.colour == wish.colour, offer.thing.material == wish.material]
    else:
        templates = _WORDS.get((kind, reason)) or _LEAVE_IT[reason]
    return pick(random, templates).format_map(slots)


def _reason(alternative: Alternative, place: int) -> Reason:
    """The term that speaks most for the action; USUAL where none does."""
    best, most = Reason.USUAL, 0.0
    for reason, term in alternative.terms.items():
        value = term if isinstance(term, float) else float(term[place])
        if reason not in _NEVER_SAID and value > most:
            best, most = reason, value
    return best


def _why_nothing_fits(view: View, shopper: Shopper) -> tuple[str, ...]:
    items = view.page.items if isinstance(view.page, Results) else ()
    wanted = [offer for offer in items if offer.thing == shopper.wish]
    fresh = [offer for offer in wanted if offer.number not in view.opened]
    if not wanted:
        return _LEAVE_IT[Reason.NOTHING_FITS]
    if not fresh:
        return _SEEN_IT
    return _TOO_DEAR if all(offer.price > BUDGETS[shopper.budget] for offer in fresh) else _NOT_CONVINCED


def _offer(page: Page, alternative: Alternative) -> Offer | None:
    """The offer that an action is about; None where it is about none."""
    match page:
        case Home() if alternative.choice.kind is Kind.RECENT:
            return page.recent[alternative.choice.argument][1]
        case Results() if alternative.choice.kind is Kind.ITEM:
            return page.items[alternative.choice.argument]
        case Product(offer=offer) | Reviews(product=Product(offer=offer)) | Cart(offer=offer):
            return offer
    return None


def _one(thing: Thing) -> str:
    """`a red wool hat`, and `red wool socks`."""
    return str(thing) if NOUNS[thing.noun].name.endswith("s") else f"a {thing}"
