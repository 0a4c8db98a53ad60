"""What the shop's pages say, in both sizes."""

from collections.abc import Mapping

from trainer.sessions.storefront.catalogue import DEPARTMENTS, Offer, Refinement
from trainer.sessions.storefront.views import Results

REFINEMENTS: Mapping[Refinement, tuple[str, str]] = {
    Refinement.UNDER_25: ("Price", "Under $25"),
    Refinement.UNDER_50: ("Price", "Under $50"),
    Refinement.STARS: ("Customer reviews", "4 stars & up"),
    Refinement.TOMORROW: ("Delivery", "Get it tomorrow"),
    Refinement.CHEAPEST: ("Sort", "Lowest price"),
}
"""Group, and what the link says."""

VERDICTS: Mapping[int, tuple[str, ...]] = {
    1: ("Most buyers like it.", "Buyers would buy it again."),
    0: ("Buyers do not agree about it.", "Some like it, some do not."),
    -1: ("Most buyers sent it back.", "Buyers say it breaks soon."),
}
"""What the reviews come down to."""


def heading(page: Results) -> str:
    """What a list is a list of."""
    if page.query is not None:
        return f"Results for {page.query}"
    return DEPARTMENTS[page.department] if page.department is not None else "Deals"


def dollars(offer: Offer) -> str:
    """The price."""
    return f"${offer.price}"


def rating(offer: Offer) -> str:
    """The stars, 4 or 4.5."""
    return f"{offer.stars:g} stars"
