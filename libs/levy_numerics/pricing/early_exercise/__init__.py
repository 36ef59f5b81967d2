"""American, Bermudan and barrier options: terms of contracts, and methods that price them."""

from levy_numerics.pricing.early_exercise.terms import Barrier, Dividend, Terms

__all__ = ["Barrier", "Dividend", "Terms"]
