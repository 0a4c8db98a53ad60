"""What an offer is called on a real shop's pages: a brand, a long title, a delivery date."""

from functools import lru_cache

from trainer.sessions.storefront.catalogue import COLOURS, MATERIALS, NOUNS, Offer, Thing
from trainer.sessions.storefront.draws import between, pick, random_for
from trainer.sessions.storefront.full.words import AUDIENCES, BRANDS, EXTRAS, FEATURES, OCCASIONS


@lru_cache(maxsize=8192)
def title_of(thing: Thing, number: int) -> str:
    """A title that names colour, material and noun; `number` is the offer's, or -1 for what is sold out."""
    random = random_for("title", number, *thing)
    noun = NOUNS[thing.noun].name
    start = f"{pick(random, BRANDS)} {pick(random, AUDIENCES)}"
    kind = f"{COLOURS[thing.colour].title()} {MATERIALS[thing.material].title()} {noun.title()}"
    return f"{start} {kind}, {pick(random, FEATURES[noun])} {pick(random, OCCASIONS)}, {pick(random, EXTRAS)}"


@lru_cache(maxsize=8192)
def delivery_of(offer: Offer) -> str:
    """When it comes."""
    if offer.tomorrow:
        return "FREE delivery tomorrow"
    return f"Delivery in {between(random_for('delivery', offer.number), 3, 9)} days"
