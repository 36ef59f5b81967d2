"""Building blocks of the dashboards."""

from grafana_foundation_sdk.builders.common import VizLegendOptions, VizTooltipOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard, QueryVariable
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig as Thresholds
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as Timeseries
from grafana_foundation_sdk.models.common import (
    DataSourceRef,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
    VariableSort,
)

SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
"""The uid in `provisioning/datasources`, which the kube-prometheus stack uses too."""

Query = tuple[str, str]
"""A PromQL expression and the legend of its series."""

_HEIGHT = 7
_THIRD = 8


def dashboard(uid: str, title: str, description: str) -> Dashboard:
    """Return an empty dashboard that shows the last hour, refreshed every ten seconds."""
    return (
        Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["levy"])
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
    )


def variable(name: str, metric: str) -> QueryVariable:
    """Return a variable that selects values of a label; the default is all of them."""
    return (
        QueryVariable(name)
        .datasource(SOURCE)
        .query({"query": f"label_values({metric}, {name})", "refId": name})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def time_series(
    title: str, unit: str, *queries: Query, description: str, span: int = _THIRD
) -> Timeseries:
    """Return a time series panel.

    Parameters
    ----------
    title : str
    unit : str
        Grafana's name of the unit: `s`, `reqps`, `percentunit`, `none` and so on.
    *queries : Query
    description : str
        Text of the panel's tooltip.
    span : int
        Width, of 24 columns.
    """
    panel = (
        Timeseries()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .span(span)
        .height(_HEIGHT)
        .show_points(VisibilityMode.NEVER)
        .legend(
            VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    for query in _targets(queries):
        panel = panel.with_target(query)
    return panel


def stat(
    title: str,
    unit: str,
    *queries: Query,
    description: str,
    red_from: float | None = None,
    span: int = _THIRD,
) -> Stat:
    """Return a panel with the current value of each series.

    Parameters
    ----------
    title, unit, *queries, description, span
        As for `time_series`.
    red_from : float, optional
        Threshold from which values are red; below it, and without it, they are green.
    """
    coloured = [Threshold(color="green")]
    if red_from is not None:
        coloured.append(Threshold(value=red_from, color="red"))
    panel = (
        Stat()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .span(span)
        .height(_HEIGHT)
        .thresholds(Thresholds().mode(ThresholdsMode.ABSOLUTE).steps(coloured))
    )
    for query in _targets(queries):
        panel = panel.with_target(query.instant())
    return panel


def quantile(share: float, metric: str, *by: str, where: str = "", window: str = "5m") -> str:
    """Return the PromQL expression of a quantile of a histogram, grouped by labels."""
    labels = ", ".join((*by, "le"))
    matches = f"{{{where}}}" if where else ""
    rate = f"rate({metric}_bucket{matches}[{window}])"
    return f"histogram_quantile({share}, sum by ({labels}) ({rate}))"


def _targets(queries: tuple[Query, ...]) -> list[Dataquery]:
    return [
        Dataquery().ref_id(chr(ord("A") + place)).expr(expression).legend_format(name)
        for place, (expression, name) in enumerate(queries)
    ]
