"""Compile all loops for the current sources: `python -m levy_numerics.precompile`.

Machine code is cached on disk for all processes of this machine (see `jit`). Code of other states
of the sources is removed.
"""

from typing import Final

import numpy as np

from levy_numerics import models, pricing
from levy_numerics.calibration.local_fit import fit_from
from levy_numerics.implied_volatility import vols_out_of_the_money
from levy_numerics.jit import remove_outdated
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models.numba_model import NumbaModel

# Distance of the initial guess from the optimum, in coordinates: without a step, the solver's loops
# would not be compiled.
_DISTANCE: Final = 0.1


def main() -> None:
    """Fit a small surface with each model that has compiled formulas."""
    remove_outdated()
    contracts = Contracts.grid(
        spot=100.0,
        rate=0.0,
        dividend_yield=0.0,
        strikes=[90.0, 100.0, 110.0],
        maturities=[0.5, 1.0],
    )
    for name in models.names():
        model = models.get(name)
        if issubclass(model, NumbaModel):
            truth = model.example()
            start = model.from_coordinates(np.asarray(truth.to_coordinates()) + _DISTANCE)
            fit_from(Quotes.of(contracts, pricing.price(truth, contracts).value), start)
    vols_out_of_the_money(np.array([0.05]), np.array([0.0]), np.array([1.0]))


if __name__ == "__main__":
    main()
