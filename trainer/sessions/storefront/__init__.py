"""A simulated shop with simulated shoppers, and the best accuracy that anyone can reach in predicting them."""

from trainer.sessions.storefront.ceilings import Ceiling, ceiling
from trainer.sessions.storefront.shop import Size
from trainer.sessions.storefront.simulator import Storefront

__all__ = ["Ceiling", "Size", "Storefront", "ceiling"]
