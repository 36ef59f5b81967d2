"""One parameter's posterior in a row, on the terminal and on the page."""

from typing import Final

from levy_schemas.jobs import ParameterSummary

POSTERIOR_COLUMNS: Final = (
    *("mean", "sd", "median", "95% interval"),
    *("R-hat", "bulk ESS", "tail ESS"),
)


def posterior_cells(one: ParameterSummary) -> tuple[str, ...]:
    """Cells of `POSTERIOR_COLUMNS`; a dash for what the engine does not tell."""
    low, high = one.interval
    return (
        f"{one.mean:.5g}",
        f"{one.sd:.2g}",
        _or_dash(one.median, ".5g"),
        f"{low:.5g} to {high:.5g}",
        _or_dash(one.r_hat, ".3f"),
        _or_dash(one.ess_bulk, ".0f"),
        _or_dash(one.ess_tail, ".0f"),
    )


def _or_dash(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
