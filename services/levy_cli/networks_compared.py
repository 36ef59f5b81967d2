"""Comparisons of two networks: tests of their losses on logged surfaces."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from levy_calibration.governance.comparison import NetworkComparison
from levy_cli.output import console, print_json, show_warnings, table
from levy_validation.hypothesis_tests import DieboldMariano, paired_tests

LEVEL: Final = 0.05
FEWEST: Final = 8
"""Surfaces: with fewer no test rejects."""
_LOSSES: Final = {
    "start_bp": "error of the initial guess, bp",
    "fit_bp": "error of the fit, bp",
    "evaluations": "evaluations",
}


def show_comparison(compared: NetworkComparison, versions: tuple[str, str], as_json: bool) -> int:
    """Print the means of both networks, tests of their differences, and the verdict.

    Returns
    -------
    int
        The exit code, 0.
    """
    document = describe(compared, versions)
    if as_json:
        print_json(document)
        return 0
    out = console()
    listing = table(
        left=["loss"],
        right=[*versions, "Diebold-Mariano", "p", "p, Wilcoxon", "p, t"],
        title=f"{document['n_surfaces']} logged surfaces",
    )
    for name, row in document["losses"].items():
        listing.add_row(
            _LOSSES[name],
            *(f"{row[key]:.4g}" for key in ("champion", "challenger")),
            *("–" if row[key] is None else f"{row[key]:.3g}" for key in _TESTS),
        )
    out.print(listing)
    out.print(document["verdict"])
    show_warnings(out, compared.skipped)
    return 0


_TESTS: Final = ("diebold_mariano", "p_diebold_mariano", "p_wilcoxon", "p_t")


def describe(compared: NetworkComparison, versions: tuple[str, str]) -> dict[str, Any]:
    """Return means, tests and verdict as a JSON object.

    The statistic of Diebold and Mariano is positive where the challenger loses less.
    """
    losses = {}
    for name in _LOSSES:
        champion, challenger = (
            np.asarray(getattr(of, name), dtype=float)
            for of in (compared.champion, compared.challenger)
        )
        both = np.isfinite(champion) & np.isfinite(challenger)
        champion, challenger = champion[both], challenger[both]
        dm = DieboldMariano.of(champion, challenger)
        (paired,) = paired_tests(champion, {"challenger": challenger})
        losses[name] = {
            "champion": float(champion.mean()),
            "challenger": float(challenger.mean()),
            "diebold_mariano": _finite(dm.statistic),
            "p_diebold_mariano": _finite(dm.p_value),
            "p_wilcoxon": _finite(paired.wilcoxon),
            "p_t": _finite(paired.t),
        }
    return {
        "versions": dict(zip(("champion", "challenger"), versions, strict=True)),
        "n_surfaces": len(compared.names),
        "accepted": {
            "champion": float(np.mean(compared.champion.accepted)),
            "challenger": float(np.mean(compared.challenger.accepted)),
        },
        "losses": losses,
        "verdict": " ".join(_verdict(losses, len(compared.names))),
        "skipped": list(compared.skipped),
    }


def _verdict(losses: dict[str, dict[str, float | None]], n: int) -> Iterator[str]:
    if n < FEWEST:
        yield f"{n} surfaces are too few for a test; {FEWEST} are required."
        return
    for name in ("start_bp", "evaluations"):
        row = losses[name]
        p = [row["p_diebold_mariano"], row["p_wilcoxon"]]
        is_significant = all(value is not None and value < LEVEL for value in p)
        if not is_significant:
            yield f"{_LOSSES[name].capitalize()}: no significant difference at {LEVEL:.0%}."
        elif (row["challenger"] or 0.0) < (row["champion"] or 0.0):
            yield f"{_LOSSES[name].capitalize()}: the challenger is significantly better."
        else:
            yield f"{_LOSSES[name].capitalize()}: the challenger is significantly worse."


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
