"""How inputs and parameters were distributed in training."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Final, Self

import numpy as np

N_QUANTILES: Final = 500
_LEVELS: Final = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES


@dataclass(frozen=True)
class Reference:
    """Quantiles of each quantity that varied in training.

    Attributes
    ----------
    quantiles : mapping of str to ndarray, shape (500,)
        Increasing; each stands for 0.2% of the surfaces, so that the least and the greatest leave
        0.1% outside. A quantity of which training knows one value only, such as the number of
        quotes of those who read a grid, is not there: nothing can drift from it by degrees.
    """

    quantiles: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, samples: Mapping[str, np.ndarray]) -> Self:
        """Learn from samples of training, shape (n,) each; NaN is what a surface does not tell."""
        made = {}
        for name, sample in samples.items():
            known = np.asarray(sample, dtype=float)
            known = known[np.isfinite(known)]
            if known.size and known.min() < known.max():
                # Values that occurred, not means of them: many surfaces share an expiry.
                made[name] = np.quantile(known, _LEVELS, method="inverted_cdf")
        return cls({name: q for name, q in made.items() if q[0] < q[-1]})

    def places(self, quantity: str, values: np.ndarray) -> np.ndarray:
        """Share of training below each value, and half of what equals it; 0 and 1 are outside."""
        quantiles = self.quantiles[quantity]
        below = np.searchsorted(quantiles, values, side="left")
        up_to = np.searchsorted(quantiles, values, side="right")
        return np.asarray((below + up_to) / (2.0 * quantiles.size))


def pack(reference: Reference) -> bytes:
    """Reference as the bytes of a file."""
    content = BytesIO()
    np.savez_compressed(content, allow_pickle=False, **dict(reference.quantiles))
    return content.getvalue()


def unpack(content: bytes) -> Reference:
    """Inverse of `pack`."""
    with np.load(BytesIO(content), allow_pickle=False) as found:
        return Reference({name: found[name] for name in found.files})
