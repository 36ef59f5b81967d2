"""Layers that Keras does not have."""

from typing import Any, Final

import keras
from keras import ops

_NEAR_THE_MONEY: Final = 0.5
"""Standard deviations from the money within which quotes determine the level of volatility."""
_TINY: Final = 1e-6
_RESIDUAL_FLOOR: Final = 1e-4
_MIN_RIDGE: Final = 1e-3


@keras.saving.register_keras_serializable("levy")
class LeastSquaresPooling(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Pool any number of quotes into the smile's coefficients in a learned basis.

    The level of volatility m is a weighted mean of log volatilities near the money. Functions
    φ(k/(e^m √T), log T, m), learned, then explain log σ − m by weighted ridge regression,

        c = (ΦᵀWΦ + diag(λ))⁻¹ ΦᵀW(log σ − m),

    so that missing quotes do not count as zeros: while the others determine the smile, the
    coefficients do not change. Means over points, the usual pooling, change with the sample. The
    order of quotes, and quotes with weight zero, have no influence.

    Parameters
    ----------
    n_basis : int
        Number of basis functions.
    width : int
        Hidden units of the two layers that compute them.
    unrolled : bool
        Whether to solve by elimination in elementary operations, which every runtime supports,
        instead of a Cholesky factorisation, which is faster in batches.

    References
    ----------
    Zaheer et al. (2017), Deep sets, NeurIPS (permutation invariance); Bertinetto et
    al. (2019), Meta-learning with differentiable closed-form solvers, ICLR.
    """

    def __init__(
        self, n_basis: int = 24, width: int = 32, *, unrolled: bool = False, **options: Any
    ) -> None:
        super().__init__(**options)
        self.n_basis, self.width, self.unrolled = n_basis, width, unrolled
        self.hidden = [
            keras.layers.Dense(width, activation="silu", name=f"hidden_{k}") for k in range(2)
        ]
        self.basis = keras.layers.Dense(n_basis, name="basis")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for points, shape (n, any, 5)."""
        shape: tuple[int | None, ...] = (*input_shape[:-1], 3)
        for layer in self.hidden:
            layer.build(shape)
            shape = (*shape[:-1], self.width)
        self.basis.build(shape)
        self.log_ridge = self.add_weight(
            shape=(self.n_basis,), initializer=keras.initializers.Constant(-3.0), name="log_ridge"
        )

    def call(self, points: Any) -> Any:
        """Return [level, coefficients, log residual, log determination], (n, 2·n_basis + 2)."""
        scaled, log_maturity, log_vol, deviations, weight = (points[..., k] for k in range(5))
        near = weight / ops.square(1.0 + ops.square(deviations / _NEAR_THE_MONEY))
        level = _sum(near * log_vol) / (_sum(near) + _TINY)
        functions = self._functions(scaled * ops.exp(-level), log_maturity, level)
        smile = log_vol - level
        weighted = functions * ops.expand_dims(weight, -1)
        transposed = ops.transpose(weighted, (0, 2, 1))
        gram = ops.matmul(transposed, functions)
        ridge = _MIN_RIDGE + ops.exp(self.log_ridge)
        normal = gram + ridge * ops.eye(self.n_basis)
        right = ops.matmul(transposed, ops.expand_dims(smile, -1))
        coefficients = (_by_elimination if self.unrolled else _by_cholesky)(normal, right)
        residual = smile - ops.matmul(functions, coefficients)[..., 0]
        mean_square = _sum(weight * ops.square(residual)) / (_sum(weight) + _TINY)
        determined = _sum_of_squares(weighted, functions) / ridge
        return ops.concatenate(
            [
                level,
                coefficients[..., 0],
                0.5 * ops.log(mean_square + _RESIDUAL_FLOOR**2),
                ops.log1p(determined),
            ],
            axis=-1,
        )

    def _functions(self, moneyness: Any, log_maturity: Any, level: Any) -> Any:
        """Return the basis at every quote, shape (n, any, n_basis)."""
        inputs = [_asinh(moneyness), log_maturity, level + ops.zeros_like(log_maturity)]
        hidden = ops.stack(inputs, axis=-1)
        for layer in self.hidden:
            hidden = layer(hidden)
        return self.basis(hidden) / self.n_basis**0.5

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (n, 2·n_basis + 2)."""
        return (input_shape[0], 2 * self.n_basis + 2)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        own = {"n_basis": self.n_basis, "width": self.width, "unrolled": self.unrolled}
        return {**super().get_config(), **own}


def _sum(values: Any) -> Any:
    """Return the sum over quotes, shape (n, 1)."""
    return ops.sum(values, axis=-1, keepdims=True)


def _sum_of_squares(weighted: Any, functions: Any) -> Any:
    return ops.sum(weighted * functions, axis=1)


def _asinh(values: Any) -> Any:
    """Return asinh by operations that every runtime supports."""
    size = ops.abs(values)
    return ops.sign(values) * ops.log(size + ops.sqrt(ops.square(size) + 1.0))


def _by_cholesky(normal: Any, right: Any) -> Any:
    factor = ops.cholesky(normal)
    half = ops.solve_triangular(factor, right, lower=True)
    return ops.solve_triangular(ops.transpose(factor, (0, 2, 1)), half, lower=False)


def _by_elimination(normal: Any, right: Any) -> Any:
    """Solve by Gauss-Jordan elimination; positive definite matrices need no pivoting."""
    size = normal.shape[-1]
    table = ops.concatenate([normal, right], axis=-1)
    unit = ops.eye(size)
    for k in range(size):
        pivot_row = table[:, k : k + 1, :] / table[:, k : k + 1, k : k + 1]
        table = table - (table[:, :, k : k + 1] - unit[:, k : k + 1]) * pivot_row
    return table[:, :, size:]
