"""What every panel has: a data source that can be chosen, a unit, a threshold, and a description."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import BigValueGraphMode, VizOrientation
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableHide,
    VariableRefresh,
)

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="$datasource")
WIDTH: Final = 24
"""Columns of Grafana's grid."""
OF: Final = 'job=~"$job",instance=~"$instance"'
"""What every query is narrowed to."""
PER: Final = "[$__rate_interval]"
Query = tuple[str, str]
"""PromQL, and how its series are named."""


def _thresholds(warn: float | None, alarm: float | None, *, below: bool) -> dashboard.ThresholdsConfig:
    """Green, then yellow, then red; the other way round where little is bad."""
    steps = [Threshold(value=None, color="green")]
    if warn is not None:
        steps.append(Threshold(value=warn, color="yellow"))
    if alarm is not None:
        steps.append(Threshold(value=alarm, color="red"))
    if below:
        steps = [Threshold(value=None, color="red"), Threshold(value=alarm, color="green")]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _queries(queries: Sequence[Query]) -> list[prometheus.Dataquery]:
    return [
        prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + number))
        for number, (expression, legend) in enumerate(queries)
    ]


def figure(
    title: str,
    about: str,
    *queries: Query,
    unit: str,
    warn: float | None = None,
    alarm: float | None = None,
    below: bool = False,
    columns: int = 4,
) -> stat.Panel:
    """One large number, coloured by its thresholds, with its course behind it."""
    panel = (
        stat.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .thresholds(_thresholds(warn, alarm, below=below))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(BigValueGraphMode.AREA)
        .orientation(VizOrientation.AUTO)
        .height(5)
        .span(columns)
    )
    for query in _queries(queries):
        panel = panel.with_target(query)
    return panel


def course(
    title: str,
    about: str,
    *queries: Query,
    unit: str,
    warn: float | None = None,
    alarm: float | None = None,
    columns: int = 8,
) -> timeseries.Panel:
    """Lines over time."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(about)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .fill_opacity(10)
        .thresholds(_thresholds(warn, alarm, below=False))
        .height(8)
        .span(columns)
    )
    for query in _queries(queries):
        panel = panel.with_target(query)
    return panel


class Section(NamedTuple):
    """A row with its panels."""

    title: str
    panels: tuple[stat.Panel | timeseries.Panel, ...]


def quantile(share: float, histogram: str, where: str, by: str = "le") -> str:
    """PromQL for what so large a share of the observations stays below."""
    return f"histogram_quantile({share}, sum by ({by}) (rate({histogram}_bucket{{{where}}}{PER})))"


def board(uid: str, title: str, about: str, *sections: Section) -> dashboard.Dashboard:
    """A dashboard with the variables that all have, and links to the others."""
    links = dashboard.DashboardLink("Session Relay").tags(["session-relay"]).as_dropdown(False)
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(about)
        .tags(["session-relay"])
        .editable()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("30s")
        .timezone("browser")
        .link(links.keep_time(True))
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_of_label("job", "label_values(build_info, job)"))
        .with_variable(_of_label("instance", 'label_values(build_info{job=~"$job"}, instance)'))
    )
    for section in sections:
        made = made.with_row(dashboard.Row(section.title))
        for panel in section.panels:
            made = made.with_panel(panel)
    return made


def _of_label(name: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .hide(VariableHide.DONT_HIDE)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )
