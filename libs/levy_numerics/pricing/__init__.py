"""Option prices: one method per file, with a common signature."""

from levy_numerics.pricing.registry import early_exercise_methods, methods, price
from levy_numerics.pricing.result import PriceGradient, Prices
from levy_numerics.pricing.sinh import SinhPricer, price_gradient

__all__ = [
    "PriceGradient",
    "Prices",
    "SinhPricer",
    "early_exercise_methods",
    "methods",
    "price",
    "price_gradient",
]
