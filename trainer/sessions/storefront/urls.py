"""The address of every page of the shop."""

from urllib.parse import urlencode

from trainer.sessions.storefront.catalogue import DEPARTMENTS
from trainer.sessions.storefront.views import Cart, Home, Page, Product, Results, Reviews

SHOP = "https://storefront.example"


def url_of(page: Page) -> str:
    """Where a page is."""
    match page:
        case Home():
            return f"{SHOP}/"
        case Results():
            return f"{SHOP}{_list(page)}"
        case Product(offer=offer, size=None):
            return f"{SHOP}/product/{offer.number}"
        case Product(offer=offer, size=size):
            return f"{SHOP}/product/{offer.number}?{urlencode({'size': offer.sizes[size or 0]})}"
        case Reviews(product=product):
            return f"{SHOP}/product/{product.offer.number}/reviews"
        case Cart():
            return f"{SHOP}/cart"


def _list(page: Results) -> str:
    asked = {"filter": [refinement.name.lower() for refinement in page.applied]}
    if page.number > 1:
        asked["page"] = [str(page.number)]
    if page.query is not None:
        return f"/search?{urlencode({'q': [str(page.query)], **asked}, doseq=True)}"
    path = "deals"
    if page.department is not None:
        path = f"department/{DEPARTMENTS[page.department].lower().replace(' ', '-')}"
    return f"/{path}?{urlencode(asked, doseq=True)}".removesuffix("?")
