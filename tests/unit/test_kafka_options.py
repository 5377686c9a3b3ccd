import logging
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from pydantic import ValidationError

from config.kafka import client_options
from config.kafka_options import RESERVED
from config.sections import KafkaSettings


def refusal(options: object) -> str:
    with pytest.raises(ValidationError) as caught:
        KafkaSettings.model_validate({"options": options})
    return str(caught.value.errors()[0]["msg"])


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_what_promises_rest_on_is_refused_with_its_reason(name: str) -> None:
    assert f"{name} can't be set here: {RESERVED[name]}" in refusal({name: "1"})


@pytest.mark.parametrize("name", ["error_cb", "stats_cb", "on_delivery", "logger", "default.topic.config"])
def test_callbacks_are_no_settings(name: str) -> None:
    assert f"{name} is not a librdkafka setting" in refusal({name: "x"})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"foo.bar": 1}, 'foo.bar: No such configuration property: "foo.bar"'),
        ({"linger.ms": "soon"}, "linger.ms: Invalid value"),
        ({"linger.ms": [1]}, "linger.ms must be text, a number, true or false"),
        ({"linger.ms": None}, "linger.ms must be text, a number, true or false"),
        ({"retries": 0}, "`retries` must be set >= 1"),
        ({"max.in.flight": 10}, "`max.in.flight` must be set <= 5"),
        ({"security.protocol": "ssl", "ssl.ca.location": "/absent"}, "ssl.ca.location failed"),
        ({"security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN"}, "sasl.username"),
        ("{", "must be a JSON map"),
    ],
)
def test_librdkafka_itself_says_what_is_wrong(options: object, told: str) -> None:
    assert told in refusal(options)


def test_a_set_of_options_that_is_complete_together_is_taken() -> None:
    sasl = {
        "security.protocol": "sasl_plaintext",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "u",
        "sasl.password": "p",
        "socket.keepalive.enable": True,
    }
    assert KafkaSettings(options=sasl).options == sasl | {"socket.keepalive.enable": "true"}


def test_the_trial_says_nothing_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    KafkaSettings(options={"debug": "broker", "fetch.max.bytes": 1_000_000})
    assert capfd.readouterr().err == ""


def test_our_own_options_win_over_the_users() -> None:
    kafka = KafkaSettings(bootstrap_servers="a:1", options={"linger.ms": 5, "client.id": "x"})
    assert client_options(kafka, **{"linger.ms": 1}) == {
        "bootstrap.servers": "a:1",
        "client.id": "x",
        "linger.ms": 1,
    }


MIXED = {
    "session.timeout.ms": 8_000,
    "max.poll.interval.ms": 400_000,
    "fetch.wait.max.ms": 100,
    "queued.min.messages": 1_000,
    "linger.ms": 5,
    "compression.type": "lz4",
    "batch.size": 100_000,
    "client.id": "x",
}


@pytest.mark.parametrize(
    ("client", "own"),
    [(Producer, {"acks": "all"}), (AdminClient, {}), (Consumer, {"group.id": "g"})],
)
def test_options_reach_the_kind_of_client_that_has_them(
    client: Callable[[dict[str, Any]], Any], own: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Method: librdkafka warns of each option that the other kind has, and is asked to say so here."""
    kafka = KafkaSettings(bootstrap_servers="127.0.0.1:9", options=MIXED)
    options = client_options(kafka, **own)
    made = client({**options, "log_level": 4, "logger": logging.getLogger("librdkafka.told")})
    made.poll(0)
    assert [line for line in caplog.messages if "CONFWARN" in line] == []
    assert options["client.id"] == "x"
    assert ("session.timeout.ms" in options) == (client is Consumer)
    assert ("linger.ms" in options) == (client is not Consumer)
    if client is Consumer:
        made.close()


def test_librdkafka_would_warn_of_the_other_kinds_options(caplog: pytest.LogCaptureFixture) -> None:
    Producer({"session.timeout.ms": 8_000, "logger": logging.getLogger("librdkafka.told")}).poll(0)
    assert any("CONFWARN" in line for line in caplog.messages)


def test_a_group_of_kip_848_is_not_told_what_the_broker_decides() -> None:
    """The library refuses each of these; with the classic protocol they are the user's to set."""
    options = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 300, "max.poll.interval.ms": 60_000}
    for strategy in ({}, {"partition.assignment.strategy": "range", "group.protocol.type": "consumer"}):
        kafka = KafkaSettings.model_validate({"options": options | strategy, "group_protocol": "consumer"})
        told = client_options(kafka, **{"group.id": "g", "group.protocol": "consumer"})
        assert told.keys() - {"bootstrap.servers"} == {"group.id", "group.protocol", "max.poll.interval.ms"}
        Consumer(told).close()
    classic = KafkaSettings.model_validate({"options": options})
    assert client_options(classic, **{"group.id": "g"})["session.timeout.ms"] == 6_000
