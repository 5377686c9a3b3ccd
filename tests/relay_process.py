"""A relay as people run it: a process of its own, told by its environment, heard by its log."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.deliveries import API_KEY, SIGNING_KEY
from tests.eventually import PATIENCE_S, eventually

SOURCES = {
    "asleep": {
        "vendor": "asleep",
        "schemes": [
            {"scheme": "api_key", "secrets": [API_KEY]},
            {"scheme": "hmac_sha256", "secrets": [SIGNING_KEY]},
        ],
    },
    "plain": {"vendor": "generic", "tenant": "ours", "schemes": [{"scheme": "none"}]},
}
INHERITED = ("PATH", "HOME", "LANG", "PYTHONPATH", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
ROOT = Path(__file__).parents[1]
_END_WITHIN_S = 15.0
"""The relay promises 10 s."""


class RelayProcess:
    """One running relay."""

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        inherited = {name: text for name, text in os.environ.items() if name in INHERITED}
        path = os.pathsep.join([str(ROOT), *filter(None, [inherited.get("PYTHONPATH")])])
        self.log = directory / "relay.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "session_relay.cli", "relay"],
                env={**inherited, "PYTHONPATH": path, **settings},
                cwd=directory,
                stderr=log,
            )
        self.client = httpx.Client(timeout=30)

    @classmethod
    @contextmanager
    def running(cls, directory: Path, kafka: str, topic: str, **settings: str) -> Iterator[Self]:
        """A relay on free ports, ended at the end, whatever happened."""
        relay = cls(
            directory,
            {
                "API_PORT": "0",
                "METRICS__RELAY_PORT": "0",
                "METRICS__INTERVAL_S": "0.1",
                "KAFKA__BOOTSTRAP_SERVERS": kafka,
                "KAFKA__EVENTS_TOPIC": topic,
                "SOURCES": json.dumps(SOURCES),
                **settings,
            },
        )
        try:
            relay.port, relay.sidecar_port = (
                relay.told("relay_started")["port"],
                relay.told("sidecar_started")["port"],
            )
            yield relay
        finally:
            relay.client.close()
            relay.end()

    port = 0
    sidecar_port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def log_text(self) -> str:
        """All that it has written, lines and anything else."""
        return self.log.read_text()

    def told(self, event: str, **fields: Any) -> dict[str, Any]:
        """The first log line of a name and fields, awaited."""

        def found() -> dict[str, Any] | None:
            assert self.process.poll() is None or event == "relay_stopped", self.log.read_text()
            wanted = {"event": event, **fields}
            return next((line for line in self.lines() if wanted.items() <= line.items()), None)

        line = eventually(found)  # a busy machine is no failure
        assert line is not None
        return line

    def post(
        self, path: str, body: bytes, headers: Mapping[str, str | bytes] | None = None
    ) -> httpx.Response:
        sent = [
            (name, text.encode() if isinstance(text, str) else text) for name, text in (headers or {}).items()
        ]
        return self.client.post(
            f"{self.url}{path}", content=body, headers=[(name.encode(), text) for name, text in sent]
        )

    def is_ready(self) -> bool:
        return self.client.get(f"{self.url}/readyz").status_code == 200

    def metrics(self) -> dict[str, float]:
        """The sidecar's samples by name with labels."""
        text = self.client.get(f"http://127.0.0.1:{self.sidecar_port}/metrics").text
        samples = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    def stop(self, signum: signal.Signals = signal.SIGTERM, within_s: float = 15.0) -> int:
        self.process.send_signal(signum)
        return self.process.wait(within_s)

    def end(self) -> None:
        """End it whatever its state: in order, so that its coverage is written, or by force if it hangs."""
        self.process.terminate()
        try:
            self.process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def new_topic(kafka: str) -> str:
    """A fresh topic of three partitions, for tests that share one relay."""
    name = f"relay-{uuid.uuid4()}"
    admin = AdminClient({"bootstrap.servers": kafka})  # kept: its end would end what it does
    (created,) = admin.create_topics([NewTopic(name, 3, 1)]).values()
    created.result()
    return name


def records(kafka: str, topic: str) -> list[Message]:
    """Everything that a topic holds now."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "none", "enable.auto.commit": False})
    try:
        partitions = consumer.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions
        ends = {
            p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=PATIENCE_S)[1]
            for p in partitions
        }
        consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
        found: list[Message] = []
        deadline_s = time.monotonic() + 15
        while len(found) < sum(ends.values()):
            assert time.monotonic() < deadline_s, f"{len(found)} of {sum(ends.values())} records"
            found += consumer.consume(500, timeout=0.2)
        assert [message.error() for message in found if message.error()] == []
        return found
    finally:
        consumer.close()
