"""What a pricer needs to know of a model: log φ_T(u), its gradient, strip and cumulants.

Convention: E[exp(iuX_T)] = φ_T(u), X the log-return before the drift correction
ω_T = −log φ_T(−i), so that F·exp(X_T + ω_T) is a martingale. The strip of analyticity is
−λ₋ < Im u < λ₊.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Final, Self

import numpy as np

from levy_numerics.errors import InvalidParameterError, UnsupportedError
from levy_numerics.models.representable import arithmetic_errors_named, require_representable
from levy_numerics.parameters import Parameter, check_domain, checked_values, declared_parameters
from levy_numerics.special import array_namespace

COMPLEX_STEP: Final = 1e-30

Bounds = tuple[tuple[float, ...], tuple[float, ...]]
"""Lower and upper ends of the box in which calibrations search, in coordinates."""


class Model(ABC):
    """A frozen value of its parameters, from which every pricing method works.

    Fields are numbers, or arrays that broadcast against u and the maturity. Subclasses are
    frozen dataclasses whose fields are declared by `parameter`. Constructors check nothing, so
    that samplers may build models from traced values; `from_mapping` and `check` do.
    """

    name: ClassVar[str]
    """On the wire."""
    title: ClassVar[str]
    source: ClassVar[str]
    stationary: ClassVar[bool] = False
    """Whether increments are stationary and independent: a law at one maturity fixes all."""
    confirmations: ClassVar[int] = 2
    """How often a calibration should find its best fit, from starts far apart, to believe it."""

    @classmethod
    def parameters(cls) -> tuple[Parameter, ...]:
        """Return the declared parameters, in order."""
        return declared_parameters(cls)

    @classmethod
    def example(cls) -> Self:
        """A realistic member of the family, for an equity index."""
        return cls(**{p.name: p.default for p in cls.parameters()})

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Build a checked model.

        Raises
        ------
        InvalidParameterError
            A name or a value is not admissible, or the forward does not exist.
        """
        model = cls(**checked_values(cls.parameters(), values, cls.name))
        model.check()
        return model

    def as_mapping(self) -> dict[str, Any]:
        """Parameters by name."""
        return {p.name: getattr(self, p.name) for p in self.parameters()}

    def check(self) -> None:
        """Raise `InvalidParameterError` unless the model is admissible and has a forward."""
        for p in self.parameters():
            check_domain(p, getattr(self, p.name))
        if any(np.ndim(value) for value in self.as_mapping().values()):
            self.check_jointly()
            return
        one_year = np.ones(1)
        with arithmetic_errors_named(self, one_year):
            self.check_jointly()
        require_representable(self, one_year)

    def check_jointly(self) -> None:
        """Conditions on several parameters together; here, that E[exp(X)] is finite."""
        low, _ = self.strip(1.0)
        if not np.all(np.asarray(low) > 1.0):
            raise InvalidParameterError(
                ", ".join(p.name for p in self.parameters()),
                tuple(self.as_mapping().values()),
                f"λ₋ > 1 (here λ₋ = {np.min(low):g})",
                "without it the forward E[exp(X)] does not exist",
            )

    def expanded(self, n_axes: int) -> Self:
        """Copy whose array fields have `n_axes` trailing axes of length one appended."""
        if not self.is_batch:
            return self
        arrays = {
            name: value.reshape(value.shape + (1,) * n_axes) if getattr(value, "ndim", 0) else value
            for name, value in self.as_mapping().items()
        }
        return type(self)(**arrays)

    @cached_property
    def is_batch(self) -> bool:
        """Whether a field is an array: several parameter sets."""
        return any(getattr(value, "ndim", 0) for value in self.as_mapping().values())

    def select(self, which: Any) -> Self:
        """Members of a batch, picked by indices or a mask."""
        fields = {
            name: value[which] if np.ndim(value) else value
            for name, value in self.as_mapping().items()
        }
        return type(self)(**fields)

    def drift_correction(self, maturity_years: Any) -> Any:
        """ω_T = −log E[exp(X_T)], shape of `maturity_years` broadcast against the fields."""
        xp = array_namespace(maturity_years, *self.as_mapping().values())
        return -xp.real(self.log_cf(xp.asarray(-1j), maturity_years))

    @abstractmethod
    def log_cf(self, u: Any, maturity_years: Any) -> Any:
        """log φ_T(u) on the branch continuous from log φ_T(0) = 0, without drift correction.

        Parameters
        ----------
        u : complex array
            Points of the strip, or of the plane cut along the rest of the imaginary axis.
        maturity_years : array
            Broadcasts against `u` and the fields.
        """

    @abstractmethod
    def log_cf_gradient(self, u: Any, maturity_years: Any) -> Any:
        """∂ log φ_T(u)/∂ each parameter, stacked on a new first axis."""

    def log_cf_with_gradient(self, u: Any, maturity_years: Any) -> tuple[Any, Any]:
        """`log_cf` and `log_cf_gradient`, whose costs a model may share."""
        return self.log_cf(u, maturity_years), self.log_cf_gradient(u, maturity_years)

    @abstractmethod
    def log_cf_rate(self, u: Any, maturity_years: Any) -> Any:
        """∂ log φ_T(u)/∂T, per year."""

    @abstractmethod
    def strip(self, maturity_years: Any) -> tuple[Any, Any]:
        """(λ₋, λ₊): φ_T is analytic for −λ₋ < Im u < λ₊."""

    def forward_exists(self, maturity_years: Any) -> Any:
        """Whether E[exp(X_T)] is finite, shape of `maturity_years` against the fields."""
        return self.strip(maturity_years)[0] > 1.0

    def sector(self, maturity_years: Any) -> Any:
        """Half-angle of the sectors about the real axis in which |φ_T| stays moderate, radians.

        A quarter of π for a Gaussian, and no pricing method here asks for more. Broadcasts
        against `maturity_years` and the fields.
        """
        return 0.25 * np.pi

    def log_ripple(self, u: Any, maturity_years: Any) -> Any:
        """log of the part of log φ_T(u) that turns as u moves, or None where none does.

        Jumps of nearly one size make it; its imaginary part is continuous in u. Who sums over
        nodes must not step over the revivals of |φ_T| that it brings.
        """
        return None

    @abstractmethod
    def cumulants(self, maturity_years: Any) -> tuple[Any, Any, Any, Any]:
        """Return the first four cumulants of X_T, without drift correction."""

    def gaussian_limit(self) -> tuple[str, ...]:
        """Return the limits of parameters in which this member becomes Gaussian.

        For a fit that is Gaussian already, such as one to a flat smile: the parameters that run to
        the limit, and where to. Empty for a model without such a limit.
        """
        return ()

    def gaussian_parts(self, maturity_years: float) -> tuple[str, ...]:
        """Return the limits of those parts of this member that are Gaussian at a maturity.

        For models of several parts, of which one may be a diffusion where the whole is not.
        """
        return ()

    @abstractmethod
    def sample(self, rng: np.random.Generator, maturity_years: float, size: int) -> Any:
        """Independent draws of X_T, without drift correction, shape (size,)."""

    @classmethod
    @abstractmethod
    def from_coordinates(cls, z: Any) -> Self:
        """Return the model at coordinates `z`, shape (n_parameters, …): ℝⁿ onto the domain.

        Coordinates are chosen so that least squares is well conditioned; every point of
        `coordinate_bounds` is an admissible model whose forward exists. The formula is analytic,
        so that a complex step gives its derivative.
        """

    @abstractmethod
    def to_coordinates(self) -> Any:
        """Inverse of `from_coordinates`; shape (n_parameters, …)."""

    @classmethod
    @abstractmethod
    def coordinate_bounds(cls) -> Bounds:
        """Box in which calibrations search."""

    @classmethod
    def coordinate_jacobian(cls, z: Sequence[float] | np.ndarray) -> np.ndarray:
        """∂ parameters/∂ coordinates, by complex step, exact.

        Parameters
        ----------
        z : array_like, shape (n_coordinates, …)

        Returns
        -------
        ndarray, shape (n_parameters, n_coordinates, …)

        References
        ----------
        Squire and Trapp (1998), SIAM Review 40(1), 110-112.
        """
        return cls._stepped(z).imag / COMPLEX_STEP

    @classmethod
    def from_coordinates_with_jacobian(cls, z: np.ndarray) -> tuple[Self, np.ndarray]:
        """`from_coordinates` and `coordinate_jacobian` at one point, for the price of one."""
        stepped = cls._stepped(z)
        return cls(*stepped[:, 0].real), stepped.imag / COMPLEX_STEP

    @classmethod
    def _stepped(cls, z: Sequence[float] | np.ndarray) -> np.ndarray:
        """Parameters a step off `z` into the complex plane along each coordinate."""
        point = np.asarray(z, dtype=complex)
        steps = complex_steps(len(point)).reshape(len(point), -1, *(1,) * (point.ndim - 1))
        values = cls.from_coordinates(point[:, None] + steps).as_mapping().values()
        found = np.empty((len(values), *point.shape), dtype=complex)
        for row, value in zip(found, values, strict=True):
            row[...] = value
        return found


@lru_cache
def complex_steps(n: int) -> np.ndarray:
    """One step into the complex plane along each of n coordinates, shape (n, n)."""
    return np.asarray(1j * COMPLEX_STEP * np.eye(n))


class LevyModel(Model):
    """A model with stationary independent increments: log φ_T(u) = T·ψ(u)."""

    stationary: ClassVar[bool] = True
    activity: ClassVar[str | None] = None
    """Parameter to which ψ is proportional, if there is one: its derivative then gives ψ."""

    @abstractmethod
    def exponent(self, u: Any) -> Any:
        """ψ(u), with E[exp(iuX_t)] = exp(tψ(u))."""

    @abstractmethod
    def exponent_gradient(self, u: Any) -> Any:
        """∂ψ(u)/∂ each parameter, stacked on a new first axis."""

    def exponent_with_gradient(self, u: Any) -> tuple[Any, Any]:
        """`exponent` and `exponent_gradient`."""
        gradient = self.exponent_gradient(u)
        if self.activity is None:
            return self.exponent(u), gradient
        index = [p.name for p in self.parameters()].index(self.activity)
        return getattr(self, self.activity) * gradient[index], gradient

    @abstractmethod
    def exponent_strip(self) -> tuple[Any, Any]:
        """(λ₋, λ₊) of ψ."""

    @abstractmethod
    def annual_cumulants(self) -> tuple[Any, Any, Any, Any]:
        """Return the first four cumulants of X₁."""

    def scale_weights(self) -> tuple[Any, ...]:
        """Powers w such that cX belongs to the parameters c^w·p; one for each parameter.

        They give the derivative along the scale, u·ψ′(u) = Σ w·p·∂ψ/∂p. Only families that are
        closed under scaling have them; self-similar processes are made of these.
        """
        raise UnsupportedError(f"{self.name} declares no behaviour under scaling")

    def density(self, x: Any) -> Any:
        """Lévy density k(x), x ≠ 0: expected jumps per year and unit of log-return."""
        return array_namespace(x).zeros_like(x)

    def log_cf(self, u: Any, maturity_years: Any) -> Any:
        return maturity_years * self.exponent(u)

    def log_cf_gradient(self, u: Any, maturity_years: Any) -> Any:
        return _over_time(self.exponent_gradient(u), maturity_years)

    def log_cf_with_gradient(self, u: Any, maturity_years: Any) -> tuple[Any, Any]:
        exponent, gradient = self.exponent_with_gradient(u)
        return maturity_years * exponent, _over_time(gradient, maturity_years)

    def log_cf_rate(self, u: Any, maturity_years: Any) -> Any:
        # The same at all maturities, and of the shape that they give.
        return self.exponent(u) + 0.0 * maturity_years

    def strip(self, maturity_years: Any) -> tuple[Any, Any]:
        return self.exponent_strip()

    def cumulants(self, maturity_years: Any) -> tuple[Any, Any, Any, Any]:
        k1, k2, k3, k4 = self.annual_cumulants()
        return maturity_years * k1, maturity_years * k2, maturity_years * k3, maturity_years * k4


def _over_time(gradient: Any, maturity_years: Any) -> Any:
    """T·∂ψ, the parameters' axis first whatever axes the maturities add to those of u."""
    added = (1,) * (np.ndim(maturity_years) + 1 - gradient.ndim)
    return maturity_years * gradient.reshape(gradient.shape[:1] + added + gradient.shape[1:])
