"""Asking the sidecars: which addresses, and what each of them says of its process."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from config.errors import SettingsError
from config.sections import MetricsSettings

WITHIN_S: Final = 3.0
"""A sidecar answers from memory; one that takes longer hangs."""
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared with, not listened on
_LAST_PORT: Final = 65_535
_AHEAD: Final = 8
"""So many ports are asked at once: a sink that is just being started again is a gap before others."""

Labels = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one sidecar said, or that it said nothing.

    Attributes:
        url: Where it was asked.
        at_s: When, by the monotonic clock.
        role: What runs there; None where nothing of ours answers.
        samples: Label sets and values by the sample's name.
        problem: Why it is not ready, or did not answer; None while all is well.
        weak: What is wrong with each dependency that it can do without.
    """

    url: str
    at_s: float
    role: str | None = None
    version: str = ""
    samples: Mapping[str, Sequence[tuple[Labels, float]]] = field(default_factory=dict)
    problem: str | None = None
    weak: Mapping[str, str] = field(default_factory=dict)

    @property
    def answers(self) -> bool:
        """Whether something of ours is there at all."""
        return self.role is not None

    def values(self, name: str, **labels: str) -> list[float]:
        """The values of a sample's name, of those that have these labels."""
        found = self.samples.get(name, ())
        return [value for told, value in found if labels.items() <= dict(told).items()]


class Sidecars:
    """The sidecars of a flow.

    Args:
        urls: Each of them must answer; where there are none, `metrics` tells where to ask.
        metrics: The ports: relay and sink must answer; more sinks, on ports counted up, or a backfill may.

    Raises:
        SettingsError: No address is given and the ports tell none.
    """

    def __init__(self, urls: Sequence[str], metrics: MetricsSettings | None = None) -> None:
        self._urls, self._metrics = list(dict.fromkeys(urls)), metrics
        if metrics is not None and not (metrics.enabled and metrics.relay_port and metrics.sink_port):
            raise SettingsError(
                "the settings tell no port of the sidecars, or that there are none: "
                "take the addresses from the roles' log lines `sidecar_started` and name each with --url"
            )

    def ask(self) -> list[Told]:
        """Ask all of them at once, each of them for no longer than a few seconds."""
        with httpx.Client(timeout=WITHIN_S, trust_env=False) as client:
            if self._metrics is None:
                return _ask_all(client, self._urls)
            return self._ask_by_ports(client, self._metrics)

    def _ask_by_ports(self, client: httpx.Client, metrics: MetricsSettings) -> list[Told]:
        def at(port: int) -> str:
            return f"http://{_ANY.get(metrics.host, metrics.host)}:{port}"

        backfills = [metrics.backfill_port] if metrics.backfill_port else []
        ports = [metrics.relay_port, metrics.sink_port, *backfills]
        relay, sink, *maybe = _ask_all(client, [at(port) for port in ports])
        sinks = [sink]
        port = metrics.sink_port + 1
        while port <= _LAST_PORT and any(told.role == "sink" for told in sinks[-_AHEAD:]):
            sinks += _ask_all(
                client, [at(next_) for next_ in range(port, min(port + _AHEAD, _LAST_PORT + 1))]
            )
            port += _AHEAD
        others = [told for told in sinks[1:] if told.role == "sink"]
        return [relay, sink, *others, *(told for told in maybe if told.role == "backfill")]


def _ask_all(client: httpx.Client, urls: Sequence[str]) -> list[Told]:
    with ThreadPoolExecutor(max_workers=max(1, min(len(urls), 16))) as pool:
        return list(pool.map(lambda url: _ask(client, url), urls))


def _ask(client: httpx.Client, url: str) -> Told:
    at_s = monotonic()
    try:
        answer = client.get(f"{url}/metrics")
        families = list(text_string_to_metric_families(answer.text))
        ready = client.get(f"{url}/readyz").json()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Told(url=url, at_s=at_s, problem=f"does not answer ({type(error).__name__})")
    except ValueError:
        return Told(url=url, at_s=at_s, problem="what answers there is no sidecar of Session Relay")
    samples: dict[str, list[tuple[Labels, float]]] = {}
    for sample in (sample for family in families for sample in family.samples):
        samples.setdefault(sample.name, []).append((sample.labels, sample.value))
    build = next((labels for labels, _ in samples.get("build_info", ())), None)
    if build is None or not isinstance(ready, dict):
        return Told(url=url, at_s=at_s, problem="what answers there is no sidecar of Session Relay")
    return Told(
        url=url,
        at_s=at_s,
        role=build.get("role", ""),
        version=build.get("version", ""),
        samples=samples,
        problem=ready.get("problem"),
        weak=_weak(ready.get("dependencies") or {}),
    )


def _weak(dependencies: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Dependencies that were used and are away; one that was never used is no news."""
    return {
        name: str(told["problem"])
        for name, told in dependencies.items()
        if not told["up"] and told["failures_in_a_row"]
    }
