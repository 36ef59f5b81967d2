"""Numbers that JSON can represent."""

import math


def finite_or_none(value: float) -> float | None:
    """Return a number as a Python float; None if it is infinite or NaN, which JSON lacks."""
    return float(value) if math.isfinite(value) else None
