"""Phase factors exp(iξx) of options, alone or multiplied by the integrand."""

# `cos_and_sin` is compiled without reordering: that would destroy its exact reduction of angles.

from typing import Any, Final

import numpy as np

from levy_numerics.exponential import bounded_exp
from levy_numerics.jit import compiled, compiled_in_order, compiled_without_lock
from levy_numerics.special import cos_and_sin

_cos_and_sin: Final = compiled_in_order(cos_and_sin)


@compiled_without_lock
def phase_factors(x: np.ndarray, xi_real: np.ndarray, xi_imag: np.ndarray) -> np.ndarray:
    """Return exp(iξx) of every option, shape (n_maturities, n_columns, 2, 2, 2, n).

    The last axes are wing, parity of the node, real and imaginary part, and node.

    Parameters
    ----------
    x : ndarray, shape (n_maturities, n_columns)
        ln(F/K).
    xi_real, xi_imag : ndarray, shape (2, 2, n)
        Nodes by wing and parity.
    """
    n = xi_real.shape[2]
    factors, cosine, sine = np.empty((*x.shape, 2, 2, 2, n)), np.empty(n), np.empty(n)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            for parity in range(2):
                # The wings are mirror images with equal Re ξ.
                for k in range(n):
                    cosine[k], sine[k] = _cos_and_sin(xi_real[0, parity, k] * x[i, j])
                for wing in range(2):
                    height = xi_imag[wing, parity]
                    real = factors[i, j, wing, parity, 0]
                    imag = factors[i, j, wing, parity, 1]
                    for k in range(n):
                        real[k] = bounded_exp(-height[k] * x[i, j])
                    for k in range(n):
                        imag[k] = real[k] * sine[k]
                        real[k] *= cosine[k]
    return factors


@compiled
def set_wave(wave: np.ndarray, logs: Any, nodes: Any, wing: int, x: float, end: int) -> None:
    """Set exp(log_size + i·angle + iξx), axes parity, real and imaginary part, node."""
    for parity in range(2):
        real, imag = wave[parity, 0, :end], wave[parity, 1, :end]
        log_size, angle = logs[0][wing, parity, :end], logs[1][wing, parity, :end]
        xi_real, xi_imag = nodes[0][wing, parity, :end], nodes[1][wing, parity, :end]
        for k in range(len(real)):
            real[k] = bounded_exp(log_size[k] - xi_imag[k] * x)
        for k in range(len(real)):
            cosine, sine = _cos_and_sin(angle[k] + xi_real[k] * x)
            imag[k] = real[k] * sine
            real[k] *= cosine
