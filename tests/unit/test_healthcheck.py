"""The image's health check, against a real sidecar."""

from typing import Self

import pytest

from config.clock import SystemClock
from config.health import Dependency, Health
from config.healthcheck import main, problem, role_of
from config.sections import MetricsSettings
from config.sidecar import Sidecar


@pytest.mark.parametrize(
    ("words", "role"),
    [
        (["/dev/init", "--", "session-relay", "relay"], "relay"),
        (["python", "/opt/bin/session-relay", "sink", "--accept-poison", "5"], "sink"),
        (["session-relay", "backfill"], "backfill"),
        (["session-relay", "migrate", "--execute"], None),
    ],
)
def test_the_role_is_read_from_what_runs(words: list[str], role: str | None) -> None:
    assert role_of(words) == role


class Asked:
    """A sink's sidecar, and what the health check says of it."""

    def __init__(self) -> None:
        self.health = Health(SystemClock())
        self.kafka: Dependency = self.health.dependency("kafka", needed=True)
        self.sidecar = Sidecar(
            role="sink", host="127.0.0.1", port=0, interval_s=60, health=self.health, clock=SystemClock()
        )

    def problem(self, host: str = "0.0.0.0") -> str | None:
        return problem(MetricsSettings(host=host, sink_port=self.port), "sink")

    def __enter__(self) -> Self:
        self.port = self.sidecar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.sidecar.stop()


def test_a_role_is_healthy_while_it_can_work() -> None:
    with Asked() as asked:
        assert "not reached yet" in str(asked.problem())
        asked.kafka.succeeded()
        assert asked.problem() is None
        assert asked.problem(host="127.0.0.1") is None
    assert "does not answer" in str(asked.problem())


@pytest.mark.parametrize("metrics", [MetricsSettings(enabled=False), MetricsSettings(sink_port=0)])
def test_a_sidecar_that_nobody_can_ask_is_no_problem(metrics: MetricsSettings) -> None:
    assert problem(metrics, "sink") is None


def test_docker_learns_it_by_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Asked() as asked:
        monkeypatch.setenv("METRICS__SINK_PORT", str(asked.port))
        assert main(["sink"]) == 1
        assert "kafka" in capsys.readouterr().out
        asked.kafka.succeeded()
        assert main(["sink"]) == 0
    assert main(["migrate", "--execute"]) == 0
