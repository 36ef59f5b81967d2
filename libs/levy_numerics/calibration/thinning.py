"""Comparison of starts on a part of many quotes, from which the whole fit then begins.

Local minima of a fit to a thousand quotes are those of a fit to a tenth of them, but for small
shifts, and an evaluation costs a fraction.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from levy_numerics.calibration.initial_guesses import spread_over
from levy_numerics.calibration.objective import TOLERANCE, Objective
from levy_numerics.calibration.solver_problem import Solution
from levy_numerics.pricing.sinh import SinhPricer

_QUOTES: Final = 128
_MATURITIES: Final = 8
# Relative excess of cost on the part below which a minimum may be the best one of all quotes.
_CONTENDER: Final = 0.5
# Relative difference of costs of one minimum.
_SAME_MINIMUM: Final = 1e-3


def thinned_objective(objective: Objective) -> Objective:
    """Return the objective of up to 128 quotes, of at most 8 maturities."""
    contracts = objective.quotes.contracts
    n_maturities = min(_MATURITIES, len(contracts.by_maturity.maturity_groups[0]))
    few = spread_over(contracts, n_maturities, _QUOTES // n_maturities)
    quotes = objective.quotes.select(few)
    return replace(
        objective,
        quotes=quotes,
        weighting=objective.weighting.select(few),
        pricer=SinhPricer(quotes.contracts, TOLERANCE, is_repeated=True),
    )


def distinct_minima(solutions: Sequence[Solution]) -> list[np.ndarray]:
    """Return the points of the best solution and of others of similar but different cost."""
    ordered = sorted(solutions, key=lambda solution: solution.cost)
    points, last = [ordered[0].point], ordered[0].cost
    for solution in ordered[1:]:
        if solution.cost > ordered[0].cost * (1.0 + _CONTENDER):
            break
        if solution.cost > last * (1.0 + _SAME_MINIMUM):
            points.append(solution.point)
            last = solution.cost
    return points
