"""One parameter's posterior in a row, on the terminal and on the page."""

from typing import Final

from levy_schemas.jobs import OptionPrediction, ParameterSummary

POSTERIOR_COLUMNS: Final = (
    *("mean", "sd", "median", "95% interval"),
    *("R-hat", "bulk ESS", "tail ESS"),
)
PREDICTED_COLUMNS: Final = (
    *("mean", "median", "95% of prices", "95% of quotes"),
    *("implied vol", "95% of vols"),
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


def option_name(one: OptionPrediction) -> str:
    """As people speak of it."""
    return f"{one.option_type} {one.strike:g}, {one.maturity:.4f} years"


def predicted_cells(one: OptionPrediction) -> tuple[str, ...]:
    """Cells of `PREDICTED_COLUMNS`; a dash for what is not known."""
    low, high = one.implied_vol_interval
    return (
        f"{one.mean:.5g}",
        f"{one.median:.5g}",
        _range(*one.interval),
        "–" if one.quote_interval is None else _range(*one.quote_interval),
        _or_dash(one.implied_vol, ".2%"),
        f"{_or_dash(low, '.2%')} to {_or_dash(high, '.2%')}",
    )


def _range(low: float, high: float) -> str:
    return f"{low:.5g} to {high:.5g}"


def _or_dash(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
