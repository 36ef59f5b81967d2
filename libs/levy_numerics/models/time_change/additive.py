"""Additive processes: the sum of a Sato process and a Lévy process whose rate grows with maturity.

Independent increments that are not stationary. In a Sato process the sizes of jumps grow with
maturity, in the second component their number does. Together they follow the term structure of
volatility, skewness and kurtosis of an index with one or two parameters more than a Sato process.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

import numpy as np

from levy_numerics.models.base import Bounds, LevyModel
from levy_numerics.models.cgmy import CGMY
from levy_numerics.models.coordinates import split
from levy_numerics.models.nig import NIG
from levy_numerics.models.time_change.composition import Composition, compose
from levy_numerics.models.time_change.sato import CGMYSato, NIGSato, Sato, VarianceGammaSato
from levy_numerics.models.variance_gamma import VarianceGamma
from levy_numerics.parameters import Parameter, parameter, positive, redeclared
from levy_numerics.special import array_namespace

_SUFFIX: Final = "_2"
# Of the variance at one year: a component below it does not shape a smile.
_NEGLIGIBLE_SHARE: Final = 0.01
# Lower end of log λ₊ and log(λ₋ − 1) of either component: jumps of 5,000% on average.
_LOW_TAIL: Final = -4.0
# γ, logit of the second component's share of the variance, log λ₊, log(λ₋ − 1), ρ.
_LOW_OF_SECOND: Final = (0.05, -9.0, _LOW_TAIL, _LOW_TAIL, 0.05)
_HIGH_OF_SECOND: Final = (1.5, 9.0, 10.0, 10.0, 3.0)


class Additive(Composition):
    """Additive process: log φ_T(u) = ψ(u·T^γ) + T^ρ·ψ₂(u), with ψ and ψ₂ of one Lévy family.

    The first component is a Sato process with a self-decomposable base. The second is a Lévy
    process with the clock T^ρ. The Lévy density of either does not decrease with T for γ, ρ > 0, so
    that the process exists and prices are free of calendar arbitrage. Parameters in `shared` are
    those of both components.

    References
    ----------
    Carr, Geman, Madan and Yor (2007), Self-decomposability and option pricing, Mathematical
    Finance 17(1), 31-57, section 4 (first component); Azzone and Baviera (2022), Additive normal
    tempered stable processes for equity derivatives and power-law scaling, Quantitative Finance
    22(3), 501-518 (power laws of maturity, and the condition on the Lévy density).
    """

    sato_type: ClassVar[type[Sato]]
    shared: ClassVar[tuple[str, ...]]

    gamma: Any
    rho: Any

    @property
    def first(self) -> Sato:
        """The Sato process."""
        return self.sato_type(
            **{p.name: getattr(self, p.name) for p in self.sato_type.parameters()}
        )

    @property
    def second(self) -> LevyModel:
        """The Lévy process of the second component, before its clock."""
        names = [p.name for p in self.base_type.parameters()]
        return self.base_type(
            **{n: getattr(self, n if n in self.shared else n + _SUFFIX) for n in names}
        )

    def check_jointly(self) -> None:
        self.second.check_jointly()
        super().check_jointly()

    def log_cf(self, u: Any, maturity_years: Any) -> Any:
        clock = maturity_years**self.rho
        return self.first.log_cf(u, maturity_years) + clock * self.second.exponent(u)

    def log_cf_gradient(self, u: Any, maturity_years: Any) -> Any:
        return self.log_cf_with_gradient(u, maturity_years)[1]

    def log_cf_with_gradient(self, u: Any, maturity_years: Any) -> tuple[Any, Any]:
        xp = array_namespace(u, maturity_years, self.rho)
        value, by_first = self.first.log_cf_with_gradient(u, maturity_years)
        # u gets as many axes as the maturities have, so that parameters stay on the first axis.
        u = xp.reshape(u, (1,) * (np.ndim(maturity_years) - np.ndim(u)) + np.shape(u))
        exponent, by_second = self.second.exponent_with_gradient(u)
        clock = maturity_years**self.rho
        exponent, by_second = clock * exponent, clock * by_second
        rows, own = list(by_first), []
        for k, p in enumerate(self.base_type.parameters()):
            if p.name in self.shared:
                rows[k] = rows[k] + by_second[k]
            else:
                own.append(by_second[k])
        by_rho = exponent * xp.log(maturity_years)
        return value + exponent, xp.stack([*rows, *own, by_rho])

    def d_log_cf_dT(self, u: Any, maturity_years: Any) -> Any:
        by_clock = self.rho * maturity_years ** (self.rho - 1.0)
        by_first = self.first.d_log_cf_dT(u, maturity_years)
        return by_first + by_clock * self.second.exponent(u)

    def strip(self, maturity_years: Any) -> tuple[Any, Any]:
        low, high = self.first.strip(maturity_years)
        low_2, high_2 = self.second.exponent_strip()
        xp = array_namespace(low, low_2)
        return xp.minimum(low, low_2), xp.minimum(high, high_2)

    def cumulants(self, maturity_years: Any) -> tuple[Any, Any, Any, Any]:
        clock = maturity_years**self.rho
        k1, k2, k3, k4 = self.first.cumulants(maturity_years)
        s1, s2, s3, s4 = self.second.annual_cumulants()
        return k1 + clock * s1, k2 + clock * s2, k3 + clock * s3, k4 + clock * s4

    def gaussian_limit(self) -> tuple[str, ...]:
        """Return the limits of the components that carry a share of the variance."""
        variance, variance_2 = self.base.annual_cumulants()[1], self.second.annual_cumulants()[1]
        limits: tuple[str, ...] = ()
        if variance > _NEGLIGIBLE_SHARE * variance_2:
            limits += self.base.gaussian_limit()
        if variance_2 > _NEGLIGIBLE_SHARE * variance:
            limits += tuple(map(self._rename_limit, self.second.gaussian_limit()))
        return tuple(dict.fromkeys(limits))

    def _rename_limit(self, limit: str) -> str:
        """Return a limit of the base, such as "alpha → ∞", for the second component."""
        name, end = limit.split(" → ")
        return limit if name in self.shared else f"{name}{_SUFFIX} → {end}"

    def sample(self, rng: np.random.Generator, maturity_years: float, size: int) -> Any:
        first = self.first.sample(rng, maturity_years, size)
        return first + self.second.sample(rng, maturity_years**self.rho, size)

    @classmethod
    def from_coordinates(cls, z: Any) -> Self:
        """Return the model at (log variance, shape of the base, γ, second component, ρ).

        The variance is that of one year, of both components. The second component has the
        coordinates logit of its share of the variance, log λ₊ and log(λ₋ − 1).
        """
        xp = array_namespace(z)
        n = len(cls.base_type.parameters())
        share, rest = split(z[n + 1])
        shape = [z[k] for k in range(1, n)]
        base = cls.base_type.from_coordinates(xp.stack([z[0] + xp.log(rest), *shape]))
        second = cls.base_type.from_coordinates(
            xp.stack([z[0] + xp.log(share), z[n + 2], z[n + 3], *shape[2:]])
        )
        own = {
            name + _SUFFIX: value
            for name, value in second.as_mapping().items()
            if name not in cls.shared
        }
        return cls(**(base.as_mapping() | {"gamma": z[n]} | own | {"rho": z[n + 4]}))

    def to_coordinates(self) -> Any:
        first, second = self.base.to_coordinates(), self.second.to_coordinates()
        xp = array_namespace(first, second)
        like = first[0]
        columns = [
            xp.logaddexp(first[0], second[0]),
            *first[1:],
            self.gamma + 0.0 * like,
            second[0] - first[0],
            second[1],
            second[2],
            self.rho + 0.0 * like,
        ]
        return xp.stack(columns)

    @classmethod
    def coordinate_bounds(cls) -> Bounds:
        low, high = cls.base_type.coordinate_bounds()
        low = (low[0], _LOW_TAIL, _LOW_TAIL, *low[3:])
        return (*low, *_LOW_OF_SECOND), (*high, *_HIGH_OF_SECOND)


def with_additive_increments(
    base: type[LevyModel],
    sato: type[Sato],
    first: Mapping[str, tuple[float, float]],
    second: Mapping[str, tuple[float, tuple[float, float]]],
    *,
    min_repeat_hits: int = Additive.min_repeat_hits,
) -> type[Additive]:
    """Register the additive process with a self-decomposable base, under the name <base>Additive.

    Parameters
    ----------
    base : type of LevyModel
        With coordinates of variance and strip.
    sato : type of Sato
        The Sato process of that base.
    first : mapping of str to (float, float)
        Typical range of parameters of the base that is narrower than of the base alone.
    second : mapping of str to (float, (float, float))
        Default and typical range of each parameter that the components do not share.
    min_repeat_hits : int
        See `Model`.
    """
    gamma = redeclared(sato, {"gamma": (0.3, 0.65)})[-1]
    own = [
        (p.name + _SUFFIX, Any, _of_second(p, *second[p.name]))
        for p in base.parameters()
        if p.name in second
    ]
    rho = parameter(
        positive,
        symbol="ρ",
        unit="1",
        meaning="growth of the second component, whose clock is T^ρ; a Lévy process has 1",
        default=1.4,
        typical_range=(1.0, 2.0),
    )
    return compose(
        Additive,
        base,
        [gamma, *own, ("rho", Any, rho)],
        suffix="Additive",
        title=f"{base.title} additive",
        source="Azzone and Baviera (2022), Quantitative Finance 22(3), 501-518",
        typical_ranges=first,
        sato_type=sato,
        min_repeat_hits=min_repeat_hits,
        shared=tuple(p.name for p in base.parameters() if p.name not in second),
    )


def _of_second(p: Parameter, default: float, typical_range: tuple[float, float]) -> Any:
    return parameter(
        p.domain,
        symbol=f"{p.symbol}₂",
        unit=p.unit,
        meaning=f"{p.symbol} of the second component, at one year",
        default=default,
        typical_range=typical_range,
    )


VarianceGammaAdditive = with_additive_increments(
    VarianceGamma,
    VarianceGammaSato,
    {"sigma": (0.05, 0.5), "nu": (0.1, 5.0), "theta": (-0.4, 0.1)},
    {
        "sigma": (0.07, (0.02, 0.3)),
        "nu": (8.0, (1.0, 50.0)),
        "theta": (-0.03, (-0.15, 0.05)),
    },
    # Of smiles made of two, either may be the more skewed: both ways are often minima.
    min_repeat_hits=4,
)
NIGAdditive = with_additive_increments(
    NIG,
    NIGSato,
    {"alpha": (4.0, 60.0), "beta": (-40.0, 3.0), "delta": (0.02, 1.0)},
    {
        "alpha": (5.0, (2.0, 20.0)),
        "beta": (-3.0, (-12.0, 3.0)),
        "delta": (0.02, (0.003, 0.3)),
    },
    min_repeat_hits=4,
)
CGMYAdditive = with_additive_increments(
    CGMY,
    CGMYSato,
    {"C": (0.01, 3.0), "G": (1.0, 15.0), "M": (3.0, 60.0), "Y": (0.0, 1.4)},
    {
        "C": (0.03, (5e-3, 0.3)),
        "G": (1.6, (0.5, 6.0)),
        "M": (9.0, (2.0, 200.0)),
    },
)
