"""The distribution of inputs and parameters in training."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Final, Self

import numpy as np

from levy_numerics.errors import InvalidInputError

N_QUANTILES: Final = 500
_LEVELS: Final = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES


@dataclass(frozen=True)
class Reference:
    """Quantiles of each quantity that varied in training.

    Attributes
    ----------
    quantiles : mapping of str to ndarray, shape (500,)
        Increasing; each represents 0.2% of the surfaces, so that 0.1% are below the first and above
        the last. Quantities that are constant in training, such as the number of quotes of a grid,
        are left out.
    """

    quantiles: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, samples: Mapping[str, np.ndarray]) -> Self:
        """Estimate from samples of training, shape (n,) each; NaN where undefined."""
        quantiles = {}
        for name, sample in samples.items():
            values = np.asarray(sample, dtype=float)
            values = values[np.isfinite(values)]
            if values.size and values.min() < values.max():
                # Observed values, not interpolated ones: many surfaces have the same expiry.
                quantiles[name] = np.quantile(values, _LEVELS, method="inverted_cdf")
        return cls({name: q for name, q in quantiles.items() if q[0] < q[-1]})

    def cdf(self, quantity: str, values: np.ndarray) -> np.ndarray:
        """Return the mid-distribution function of training; 0 and 1 are out of range."""
        quantiles = self.quantiles[quantity]
        below = np.searchsorted(quantiles, values, side="left")
        up_to = np.searchsorted(quantiles, values, side="right")
        return np.asarray((below + up_to) / (2.0 * quantiles.size))


def pack(reference: Reference) -> bytes:
    """Return a reference as the content of a file."""
    content = BytesIO()
    np.savez_compressed(content, allow_pickle=False, **dict(reference.quantiles))
    return content.getvalue()


def unpack(content: bytes) -> Reference:
    """Return the reference of a file's content."""
    with np.load(BytesIO(content), allow_pickle=False) as arrays:
        quantiles = {name: arrays[name] for name in arrays.files}
    for name, values in quantiles.items():
        if values.ndim != 1 or values.size < 2 or not np.isfinite(values).all():
            raise InvalidInputError(f"the training quantiles of {name} are not finite numbers")
        if (np.diff(values) < 0.0).any():
            raise InvalidInputError(f"the training quantiles of {name} are not increasing")
    return Reference(quantiles)
