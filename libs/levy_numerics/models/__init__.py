"""Lévy models: one family per file, registered when this package is imported."""

from levy_numerics.models.base import Bounds, LevyModel, Model
from levy_numerics.models.bilateral_gamma import BilateralGamma
from levy_numerics.models.black_scholes import BlackScholes
from levy_numerics.models.cgmy import CGMY
from levy_numerics.models.kou import Kou
from levy_numerics.models.meixner import Meixner
from levy_numerics.models.merton import Merton
from levy_numerics.models.nig import NIG
from levy_numerics.models.registry import from_mapping, get, names
from levy_numerics.models.time_change.additive import (
    CGMYAdditive,
    NIGAdditive,
    VarianceGammaAdditive,
)
from levy_numerics.models.time_change.cir_clock import CGMYCIR, NIGCIR, VarianceGammaCIR
from levy_numerics.models.time_change.sato import CGMYSato, MeixnerSato, NIGSato, VarianceGammaSato
from levy_numerics.models.variance_gamma import VarianceGamma

__all__ = [
    "CGMY",
    "CGMYCIR",
    "NIG",
    "NIGCIR",
    "BilateralGamma",
    "BlackScholes",
    "Bounds",
    "CGMYAdditive",
    "CGMYSato",
    "Kou",
    "LevyModel",
    "Meixner",
    "MeixnerSato",
    "Merton",
    "Model",
    "NIGAdditive",
    "NIGSato",
    "VarianceGamma",
    "VarianceGammaAdditive",
    "VarianceGammaCIR",
    "VarianceGammaSato",
    "from_mapping",
    "get",
    "names",
]
