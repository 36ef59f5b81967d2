"""Base classes of models: log φ_T(u), its gradient, strip of analyticity, cumulants, coordinates.

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
from levy_numerics.models.admissibility import convert_arithmetic_errors, require_representable
from levy_numerics.models.coordinates import TrainingRange
from levy_numerics.parameters import Parameter, check_domain, checked_values, declared_parameters
from levy_numerics.special import array_namespace

# A complex step has no cancellation, so it may be far below rounding; its square is negligible.
COMPLEX_STEP: Final = 1e-30

# Lower and upper ends of the search box of calibrations, in coordinates.
Bounds = tuple[tuple[float, ...], tuple[float, ...]]


class Model(ABC):
    """Model with given parameter values.

    Fields are numbers, or arrays that broadcast against u and the maturity. Subclasses are
    frozen dataclasses whose fields are declared by `parameter`. Constructors do not check values,
    so that samplers can build models from traced values; `from_mapping` and `check` do.

    Attributes
    ----------
    name : str
        Name in requests.
    aliases : tuple of str
        Other names that users may give; letter case does not matter (see `registry.get`).
    title, source : str
        Name and reference for the catalogue.
    has_stationary_increments : bool
        Whether increments are stationary and independent: the law at one maturity determines all.
    min_repeat_hits : int
        Number of distant initial guesses that must lead to the best fit before a multistart stops;
        1 for models whose surfaces hardly ever have a second minimum.
    training_range : TrainingRange or None
        Range of realistic parameters from which data sets are drawn, if networks are trained.
    """

    name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    title: ClassVar[str]
    source: ClassVar[str]
    has_stationary_increments: ClassVar[bool] = False
    min_repeat_hits: ClassVar[int] = 2
    training_range: ClassVar[TrainingRange | None] = None

    @classmethod
    def parameters(cls) -> tuple[Parameter, ...]:
        """Return the declared parameters, in order."""
        return declared_parameters(cls)

    @classmethod
    def example(cls) -> Self:
        """Return the model with default parameters, realistic for an equity index."""
        return cls(**{p.name: p.default for p in cls.parameters()})

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Build a model and check it.

        Raises
        ------
        InvalidParameterError
            A name or a value is not admissible, or E[S_T] is infinite.
        """
        model = cls(**checked_values(cls.parameters(), values, cls.name))
        model.check()
        return model

    def as_mapping(self) -> dict[str, Any]:
        """Return the parameters by name."""
        return {p.name: getattr(self, p.name) for p in self.parameters()}

    def check(self) -> None:
        """Raise `InvalidParameterError` unless parameters are admissible and E[S_T] is finite."""
        for p in self.parameters():
            check_domain(p, getattr(self, p.name))
        if any(np.ndim(value) for value in self.as_mapping().values()):
            self.check_jointly()
            return
        one_year = np.ones(1)
        with convert_arithmetic_errors(self, one_year):
            self.check_jointly()
        require_representable(self, one_year)

    def check_jointly(self) -> None:
        """Check conditions on several parameters together; by default, that E[S_T] is finite."""
        low, _ = self.strip(1.0)
        if not np.all(np.asarray(low) > 1.0):
            raise InvalidParameterError(
                ", ".join(p.name for p in self.parameters()),
                tuple(self.as_mapping().values()),
                "E[S_T] is finite",
                "choose parameters with a lighter tail of upward jumps",
            )

    def expanded(self, n_axes: int) -> Self:
        """Return a copy whose array fields have `n_axes` additional trailing axes of length one."""
        if not self.is_batch:
            return self
        arrays = {
            name: value.reshape(value.shape + (1,) * n_axes) if getattr(value, "ndim", 0) else value
            for name, value in self.as_mapping().items()
        }
        return type(self)(**arrays)

    @cached_property
    def is_batch(self) -> bool:
        """Whether the model consists of several parameter sets: a field is an array."""
        return any(getattr(value, "ndim", 0) for value in self.as_mapping().values())

    def select(self, which: Any) -> Self:
        """Return the members of a batch that indices or a mask select."""
        fields = {
            name: value[which] if np.ndim(value) else value
            for name, value in self.as_mapping().items()
        }
        return type(self)(**fields)

    def drift_correction(self, maturity_years: Any) -> Any:
        """Return ω_T = −log E[exp(X_T)], shape of `maturity_years` broadcast against the fields."""
        xp = array_namespace(maturity_years, *self.as_mapping().values())
        return -xp.real(self.log_cf(xp.asarray(-1j), maturity_years))

    @abstractmethod
    def log_cf(self, u: Any, maturity_years: Any) -> Any:
        """Return log φ_T(u), without drift correction.

        The branch is the one that is continuous from log φ_T(0) = 0.

        Parameters
        ----------
        u : complex array
            Points of the strip, or of the plane cut along the rest of the imaginary axis.
        maturity_years : array
            Broadcasts against `u` and the fields.
        """

    @abstractmethod
    def log_cf_gradient(self, u: Any, maturity_years: Any) -> Any:
        """Return ∂ log φ_T(u)/∂ each parameter, stacked on a new first axis."""

    def log_cf_with_gradient(self, u: Any, maturity_years: Any) -> tuple[Any, Any]:
        """Return `log_cf` and `log_cf_gradient`, whose cost a model may share."""
        return self.log_cf(u, maturity_years), self.log_cf_gradient(u, maturity_years)

    @abstractmethod
    def d_log_cf_dT(self, u: Any, maturity_years: Any) -> Any:
        """Return ∂ log φ_T(u)/∂T, per year."""

    @abstractmethod
    def strip(self, maturity_years: Any) -> tuple[Any, Any]:
        """Return (λ₋, λ₊): φ_T is analytic for −λ₋ < Im u < λ₊."""

    def forward_exists(self, maturity_years: Any) -> Any:
        """Return whether E[exp(X_T)] is finite, `maturity_years` broadcast against the fields."""
        return self.strip(maturity_years)[0] > 1.0

    def sector(self, maturity_years: Any) -> Any:
        """Return the half-angle of the sectors about the real axis in which |φ_T| stays moderate.

        In radians; broadcasts against `maturity_years` and the fields. It does not grow with the
        maturity.
        """
        # That of a Gaussian. No pricing method uses a larger angle.
        return 0.25 * np.pi

    def log_oscillating_part(self, u: Any, maturity_years: Any) -> Any:
        """Return the log of the oscillating part of log φ_T(u), or None if there is none.

        Jumps of nearly equal size cause it: |φ_T| decays and revives along the real axis, and a
        quadrature rule could step over the revivals. The imaginary part is continuous in u.
        """
        return None

    @abstractmethod
    def cumulants(self, maturity_years: Any) -> tuple[Any, Any, Any, Any]:
        """Return the first four cumulants of X_T, without drift correction."""

    def gaussian_limit(self) -> tuple[str, ...]:
        """Return the parameter limits in which the model becomes Gaussian, such as "alpha → ∞".

        They explain a fit to a flat smile. Empty for a model without such a limit.
        """
        return ()

    def gaussian_parts(self, maturity_years: float) -> tuple[str, ...]:
        """Return the parameter limits of those components that are Gaussian at a maturity.

        Only models with several components have some: one may be nearly a diffusion although the
        whole model is not.
        """
        return ()

    @abstractmethod
    def sample(self, rng: np.random.Generator, maturity_years: float, size: int) -> Any:
        """Draw from the law of X_T, without drift correction, shape (size,)."""

    @classmethod
    @abstractmethod
    def from_coordinates(cls, z: Any) -> Self:
        """Return the model at coordinates `z`, shape (n_parameters, …): ℝⁿ onto the domain.

        Coordinates are chosen so that least squares is well conditioned. At every point within
        `coordinate_bounds` the model is admissible and E[S_T] is finite. The formula is analytic,
        so that a complex step gives its derivative.
        """

    @abstractmethod
    def to_coordinates(self) -> Any:
        """Return the inverse of `from_coordinates`, shape (n_parameters, …)."""

    @classmethod
    @abstractmethod
    def coordinate_bounds(cls) -> Bounds:
        """Return the search box of calibrations."""

    @classmethod
    def coordinate_jacobian(cls, z: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return ∂ parameters/∂ coordinates by complex steps, exact to rounding.

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
        return cls._at_complex_steps(z).imag / COMPLEX_STEP

    @classmethod
    def from_coordinates_with_jacobian(cls, z: np.ndarray) -> tuple[Self, np.ndarray]:
        """Return `from_coordinates` and `coordinate_jacobian` at one point by one evaluation."""
        values = cls._at_complex_steps(z)
        return cls(*values[:, 0].real), values.imag / COMPLEX_STEP

    @classmethod
    def _at_complex_steps(cls, z: Sequence[float] | np.ndarray) -> np.ndarray:
        """Return the parameters after a complex step from `z` along each coordinate."""
        point = np.asarray(z, dtype=complex)
        steps = complex_steps(len(point)).reshape(len(point), -1, *(1,) * (point.ndim - 1))
        values = cls.from_coordinates(point[:, None] + steps).as_mapping().values()
        result = np.empty((len(values), *point.shape), dtype=complex)
        for row, value in zip(result, values, strict=True):
            row[...] = value
        return result


@lru_cache
def complex_steps(n: int) -> np.ndarray:
    """Return a complex step along each of n coordinates, shape (n, n)."""
    return np.asarray(1j * COMPLEX_STEP * np.eye(n))


class LevyModel(Model):
    """Model with stationary independent increments: log φ_T(u) = T·ψ(u).

    Attributes
    ----------
    linear_parameter : str or None
        Parameter to which ψ is proportional, if any: ψ then follows from its gradient.
    """

    has_stationary_increments: ClassVar[bool] = True
    linear_parameter: ClassVar[str | None] = None

    @abstractmethod
    def exponent(self, u: Any) -> Any:
        """Return ψ(u), with E[exp(iuX_t)] = exp(tψ(u))."""

    @abstractmethod
    def exponent_gradient(self, u: Any) -> Any:
        """Return ∂ψ(u)/∂ each parameter, stacked on a new first axis."""

    def exponent_with_gradient(self, u: Any) -> tuple[Any, Any]:
        """Return `exponent` and `exponent_gradient`."""
        gradient = self.exponent_gradient(u)
        if self.linear_parameter is None:
            return self.exponent(u), gradient
        index = [p.name for p in self.parameters()].index(self.linear_parameter)
        return getattr(self, self.linear_parameter) * gradient[index], gradient

    @abstractmethod
    def exponent_strip(self) -> tuple[Any, Any]:
        """Return (λ₋, λ₊) of ψ."""

    @abstractmethod
    def annual_cumulants(self) -> tuple[Any, Any, Any, Any]:
        """Return the first four cumulants of X₁."""

    def scale_weights(self) -> tuple[Any, ...]:
        """Return exponents w such that cX has the parameters c^w·p, one for each parameter.

        They give the derivative with respect to scale, u·ψ′(u) = Σ w·p·∂ψ/∂p. Only families that
        are closed under scaling have them; Sato processes require them.
        """
        raise UnsupportedError(f"{self.name} is not closed under scaling; use another base model")

    def density(self, x: Any) -> Any:
        """Return the Lévy density k(x), x ≠ 0: expected jumps per year and unit of log-return."""
        return array_namespace(x).zeros_like(x)

    def log_cf(self, u: Any, maturity_years: Any) -> Any:
        return maturity_years * self.exponent(u)

    def log_cf_gradient(self, u: Any, maturity_years: Any) -> Any:
        return _times_maturity(self.exponent_gradient(u), maturity_years)

    def log_cf_with_gradient(self, u: Any, maturity_years: Any) -> tuple[Any, Any]:
        exponent, gradient = self.exponent_with_gradient(u)
        return maturity_years * exponent, _times_maturity(gradient, maturity_years)

    def d_log_cf_dT(self, u: Any, maturity_years: Any) -> Any:
        # Constant in T; the product gives the shape of the maturities.
        return self.exponent(u) + 0.0 * maturity_years

    def strip(self, maturity_years: Any) -> tuple[Any, Any]:
        return self.exponent_strip()

    def cumulants(self, maturity_years: Any) -> tuple[Any, Any, Any, Any]:
        k1, k2, k3, k4 = self.annual_cumulants()
        return maturity_years * k1, maturity_years * k2, maturity_years * k3, maturity_years * k4


def _times_maturity(gradient: Any, maturity_years: Any) -> Any:
    """Return T·∂ψ, with the parameters on the first axis."""
    # Axes that maturities have beyond those of u are inserted after the first.
    inserted = (1,) * (np.ndim(maturity_years) + 1 - gradient.ndim)
    return maturity_years * gradient.reshape(gradient.shape[:1] + inserted + gradient.shape[1:])
