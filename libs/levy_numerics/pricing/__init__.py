"""European option prices: one method per file, with a common signature."""

from levy_numerics.pricing.registry import methods, price
from levy_numerics.pricing.result import PriceGradient, Prices
from levy_numerics.pricing.sinh import SinhPricer, price_gradient

__all__ = ["PriceGradient", "Prices", "SinhPricer", "methods", "price", "price_gradient"]
