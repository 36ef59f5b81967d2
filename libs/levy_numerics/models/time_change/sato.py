"""Sato processes: self-similar additive processes with the law of a Lévy model at one year.

Skewness and kurtosis of a Lévy process fall as 1/√T and 1/T; those of option markets hardly
depend on T. A self-similar process has the law of T^γ·X₁ at every T, so both are constant.
"""

from typing import Any, Final, Self

import numpy as np

from levy_numerics.models.base import Bounds, LevyModel
from levy_numerics.models.cgmy import CGMY
from levy_numerics.models.coordinates import CALM_VOLATILITY, Axis, strip_range
from levy_numerics.models.meixner import Meixner
from levy_numerics.models.nig import NIG
from levy_numerics.models.time_change.composition import Composition, compose
from levy_numerics.models.variance_gamma import VarianceGamma
from levy_numerics.parameters import parameter, positive
from levy_numerics.special import array_namespace

# In this range tails decay fast enough for a finite E[S_T] up to three years and more.
_GAMMA: Final = Axis("gamma", 0.35, 0.7)


class Sato(Composition):
    """Sato process: log φ_T(u) = ψ(u·T^γ), ψ the exponent of a self-decomposable base.

    References
    ----------
    Carr, Geman, Madan and Yor (2007), Self-decomposability and option pricing, Mathematical
    Finance 17(1), 31-57, section 4.
    """

    gamma: Any

    def log_cf(self, u: Any, maturity_years: Any) -> Any:
        return self.base.exponent(u * maturity_years**self.gamma)

    def log_cf_gradient(self, u: Any, maturity_years: Any) -> Any:
        return self.log_cf_with_gradient(u, maturity_years)[1]

    def log_cf_with_gradient(self, u: Any, maturity_years: Any) -> tuple[Any, Any]:
        xp = array_namespace(u, maturity_years, self.gamma)
        value, by_base = self.base.exponent_with_gradient(u * maturity_years**self.gamma)
        by_gamma = self._by_log_scale(by_base) * xp.log(maturity_years)
        return value, xp.concatenate([by_base, by_gamma[None]])

    def d_log_cf_dT(self, u: Any, maturity_years: Any) -> Any:
        by_base = self.base.exponent_gradient(u * maturity_years**self.gamma)
        return self._by_log_scale(by_base) * self.gamma / maturity_years

    def _by_log_scale(self, by_base: Any) -> Any:
        """Return v·ψ′(v), from the derivatives in the parameters of the base."""
        base = self.base
        pairs = zip(base.as_mapping().values(), base.scale_weights(), strict=True)
        return sum(weight * value * by_base[k] for k, (value, weight) in enumerate(pairs))

    def strip(self, maturity_years: Any) -> tuple[Any, Any]:
        low, high = self.base.exponent_strip()
        scale = maturity_years**self.gamma
        return low / scale, high / scale

    def cumulants(self, maturity_years: Any) -> tuple[Any, Any, Any, Any]:
        scale = maturity_years**self.gamma
        k1, k2, k3, k4 = self.base.annual_cumulants()
        return k1 * scale, k2 * scale**2, k3 * scale**3, k4 * scale**4

    def gaussian_limit(self) -> tuple[str, ...]:
        return self.base.gaussian_limit()

    def sample(self, rng: np.random.Generator, maturity_years: float, size: int) -> Any:
        return maturity_years**self.gamma * self.base.sample(rng, 1.0, size)

    @classmethod
    def from_coordinates(cls, z: Any) -> Self:
        base = cls.base_type.from_coordinates(z[:-1]).as_mapping()
        return cls(**(base | {"gamma": z[-1]}))

    def to_coordinates(self) -> Any:
        base = self.base.to_coordinates()
        xp = array_namespace(base)
        return xp.concatenate([base, xp.broadcast_to(xp.asarray(self.gamma), base[:1].shape)])

    @classmethod
    def coordinate_bounds(cls) -> Bounds:
        low, high = cls.base_type.coordinate_bounds()
        return (*low, 0.05), (*high, 1.5)


def with_sato_scaling(
    base: type[LevyModel],
    tails: tuple[float, float],
    skewness: tuple[float, float],
    *others: Axis,
) -> type[Sato]:
    """Register the Sato process of a self-decomposable base, under the name <base>Sato.

    Parameters
    ----------
    base : type of LevyModel
    tails, skewness, others
        The training range; see `coordinates.strip_range`.
    """
    gamma = parameter(
        positive,
        symbol="γ",
        unit="1",
        meaning="self-similarity: the law at T is that of T^γ·X₁; Brownian motion has 1/2",
        default=0.5,
        typical_range=(0.25, 0.9),
    )
    return compose(
        Sato,
        base,
        [("gamma", Any, gamma)],
        suffix="Sato",
        title=f"{base.title} Sato",
        source="Carr, Geman, Madan and Yor (2007), Mathematical Finance 17(1), 31-57",
        training_range=strip_range(tails, skewness, *others, _GAMMA, volatility=CALM_VOLATILITY),
    )


VarianceGammaSato = with_sato_scaling(VarianceGamma, (-0.1, 1.9), (-1.2, 0.2))
NIGSato = with_sato_scaling(NIG, (-0.3, 1.8), (-1.6, 0.0))
MeixnerSato = with_sato_scaling(Meixner, (-0.2, 1.8), (-1.2, 0.0))
CGMYSato = with_sato_scaling(CGMY, (-0.3, 1.6), (-1.5, 0.0), Axis("Y", 0.0, 1.7))
