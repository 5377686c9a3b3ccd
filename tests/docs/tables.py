"""The tables that are made from code and measurements, in three pages: `python -m tests.docs.tables`.

Each stands between `<!-- name -->` and `<!-- /name -->`.
"""

import json
import re
from collections.abc import Callable

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

from benchmarks import results
from benchmarks.bento import sink_table as bento_sink
from benchmarks.bento import table as bento
from config import metrics, settings_table
from config.errors import ExitCode
from config.histogram import BatchHistogram
from tests.docs import log_lines
from tests.docs.source_tree import ROOT

README = ROOT / "README.md"
BENCHMARKS = ROOT / "benchmarks" / "README.md"
MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed, or found what it was asked to look for",
    ExitCode.USAGE: "wrong usage or settings",
    ExitCode.STOPPED_FOR_SAFETY: "stopped for safety: a person must look",
    ExitCode.UNREACHABLE: "a service could not be reached",
}


def declared() -> dict[str, tuple[Metric, tuple[str, ...]]]:
    """Every metric that `config.metrics` declares and its labels, by the name that Prometheus scrapes."""
    found = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase | BatchHistogram):
            (family,) = metric.collect()
            labels = metric.labelnames if isinstance(metric, BatchHistogram) else metric._labelnames
            found[family.name + ("_total" if family.type == "counter" else "")] = family, tuple(labels)
    return found


def metrics_table() -> str:
    lines = ["| metric | kind | labels | what it tells |", "|---|---|---|---|"]
    for name, (family, labels) in declared().items():
        named = ", ".join(f"`{label}`" for label in labels)
        lines.append(f"| `{name}` | {family.type} | {named} | {family.documentation} |")
    return "\n".join(lines)


def exit_codes_table() -> str:
    lines = [f"| {int(code)} | {MEANINGS[code]} |" for code in ExitCode]
    return "\n".join(["| exit code | meaning |", "|---|---|", *lines])


def benchmark_table() -> str:
    if not results.FILE.exists():
        return "Not measured yet: `make bench` does."
    return results.as_markdown(json.loads(results.FILE.read_text("utf-8")))


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings_table.markdown,
    "scheme settings": settings_table.schemes_markdown,
    "metrics": metrics_table,
    "exit codes": exit_codes_table,
    "benchmark": benchmark_table,
}
ELSEWHERE: dict[str, Callable[[], str]] = {
    "log events": log_lines.table,
    "bento": lambda: bento.as_markdown(json.loads(bento.FILE.read_text("utf-8"))),
    "bento sink": lambda: bento_sink.as_markdown(json.loads(bento_sink.FILE.read_text("utf-8"))),
}
"""Those that are not in the README."""


def marked(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=\n<!-- /{name} -->)", re.DOTALL)


def renewed(text: str) -> str:
    """The text with every table as it should be."""
    for name, table in (TABLES | ELSEWHERE).items():
        text = marked(name).sub(lambda _, table=table: table(), text)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    for page in (README, log_lines.PAGE, BENCHMARKS):
        page.write_text(renewed(page.read_text("utf-8")), "utf-8")
