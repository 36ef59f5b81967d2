"""What our dashboards are put together from."""

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
"""As `provisioning/datasources` calls it, and as Kubernetes' usual stack does."""

Query = tuple[str, str]
"""An expression, and what each of its series is called."""

_HEIGHT = 7
_THIRD = 8


def dashboard(uid: str, title: str, meaning: str) -> Dashboard:
    """Begin a dashboard: the last hour, asked anew each ten seconds."""
    return (
        Dashboard(title)
        .uid(uid)
        .description(meaning)
        .tags(["levy"])
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
    )


def variable(name: str, metric: str) -> QueryVariable:
    """Let the reader choose values of a label; all of them at first."""
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


def lines(title: str, unit: str, *queries: Query, meaning: str, span: int = _THIRD) -> Timeseries:
    """Levels over time.

    Parameters
    ----------
    title : str
    unit : str
        Grafana's name of it: `s`, `reqps`, `percentunit`, `none` and so on.
    *queries : Query
        Each with what its series are called.
    meaning : str
        What the reader is to look for.
    span : int
        Of 24 columns.
    """
    panel = (
        Timeseries()
        .title(title)
        .description(meaning)
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


def number(
    title: str,
    unit: str,
    *queries: Query,
    meaning: str,
    red_from: float | None = None,
    span: int = _THIRD,
) -> Stat:
    """One number for each series, as it is now.

    Parameters
    ----------
    title, unit, *queries, meaning, span
        As of `lines`.
    red_from : float, optional
        Green below it; always green if absent.
    """
    coloured = [Threshold(color="green")]
    if red_from is not None:
        coloured.append(Threshold(value=red_from, color="red"))
    panel = (
        Stat()
        .title(title)
        .description(meaning)
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
    """The expression of a quantile of a distribution, by labels, over some time."""
    labels = ", ".join((*by, "le"))
    matches = f"{{{where}}}" if where else ""
    rate = f"rate({metric}_bucket{matches}[{window}])"
    return f"histogram_quantile({share}, sum by ({labels}) ({rate}))"


def _targets(queries: tuple[Query, ...]) -> list[Dataquery]:
    return [
        Dataquery().ref_id(chr(ord("A") + place)).expr(expression).legend_format(name)
        for place, (expression, name) in enumerate(queries)
    ]
