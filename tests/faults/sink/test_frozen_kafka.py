"""Kafka is frozen: the sink neither crashes nor hangs when it has to go."""

import os
import signal
from pathlib import Path

import pytest

from tests.events import made
from tests.eventually import eventually
from tests.freezing import freeze
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]


@pytest.mark.timeout(90)
def test_sigterm_ends_the_sink_in_time_though_kafka_says_nothing_any_more(
    rig: SinkRig, kafka_pid: int
) -> None:
    rig.publish(made(session=f"s-{n}") for n in range(20))
    sink = rig.start()
    rig.wait_until_done(20)
    freeze(kafka_pid)
    sink.send_signal(signal.SIGTERM)
    assert sink.wait(10) == 0, rig.log_of(sink)


@pytest.mark.timeout(90)
def test_an_answer_of_kafka_that_comes_after_the_end_finds_nobody(
    rig: SinkRig, kafka_pid: int, tmp_path: Path
) -> None:
    """Method: C's own exit handlers last, as on a machine that is away just then, until Kafka answers."""
    (tmp_path / "sitecustomize.py").write_text(
        "import ctypes\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.on_exit(ctypes.cast(libc.pause, ctypes.c_void_p), None)\n"
    )
    rig.publish(made(session=f"s-{n}") for n in range(20))
    sink = rig.start(PYTHONPATH=str(tmp_path))
    rig.wait_until_done(20)
    freeze(kafka_pid)
    sink.send_signal(signal.SIGTERM)
    eventually(lambda: rig.told(sink, "sink_stopped"))
    assert rig.told(sink, "group_left_in_silence")
    os.kill(kafka_pid, signal.SIGCONT)
    assert sink.wait(10) == 0, rig.log_of(sink)


@pytest.mark.timeout(120)
def test_placing_while_kafka_is_frozen_is_tried_again_until_it_answers(rig: SinkRig, kafka_pid: int) -> None:
    """Method: freeze when the sink has its partitions, and make it ask for their places anew."""
    rig.publish(made(session=f"s-{n}") for n in range(20))
    sink = rig.start(SINK__TOPIC_CHECK_S="0.5")
    rig.wait_until_done(20)
    freeze(kafka_pid)
    eventually(lambda: "Kafka did not answer in time" in rig.log_of(sink), within_s=40)
    os.kill(kafka_pid, signal.SIGCONT)
    rig.publish(made(session=f"t-{n}") for n in range(20))
    rig.wait_until_done(40, within_s=60)
    rig.assert_accounted()
    assert sink.poll() is None
