"""`KAFKA__OPTIONS`: librdkafka's settings, checked by it, save those that our promises rest on."""

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from confluent_kafka import KafkaException, Producer
from pydantic import AfterValidator

from config.json_text import json_text

Scalar = str | int | float | bool

_DURABLE: Final = "acknowledged means durable, so every write is acks=all and idempotent"
_OFFSETS: Final = "the sink's offsets are kept in Postgres, with the rows"
_ORDER: Final = "all members must read the log alike"
RESERVED: Final[Mapping[str, str]] = {
    "acks": _DURABLE,
    "request.required.acks": _DURABLE,
    "enable.idempotence": _DURABLE,
    "enable.gapless.guarantee": _DURABLE,
    "transactional.id": _DURABLE,
    "partitioner": "a user's events must share one partition, wherever they are written",
    "enable.auto.commit": _OFFSETS,
    "auto.commit.enable": _OFFSETS,
    "enable.auto.offset.store": _OFFSETS,
    "auto.offset.reset": _OFFSETS,
    "isolation.level": _ORDER,
    "check.crcs": _ORDER,
    "enable.partition.eof": _ORDER,
    "group.instance.id": "processes share these options, and two members with one id shut each other out",
    "bootstrap.servers": "set KAFKA__BOOTSTRAP_SERVERS",
    "metadata.broker.list": "set KAFKA__BOOTSTRAP_SERVERS",
    "group.id": "set SINK__GROUP_ID",
    "group.protocol": "set KAFKA__GROUP_PROTOCOL",
    "delivery.timeout.ms": "set RELAY__DEADLINE_S",
    "message.timeout.ms": "set RELAY__DEADLINE_S",
    "allow.auto.create.topics": "topics are made by `session-relay topics apply`",
}
"""Options that a user may not set, and why."""
SILENT: Final = logging.getLogger("librdkafka.silent")
"""For clients whose errors are told by their exceptions alone."""
SILENT.disabled = True
_CALLBACKS: Final = re.compile(r"(_cb$|^on_|^logger$|^default\.topic\.config$)")
"""Names that Python's binding takes for functions and objects; no text can stand for them."""
_HOST_PORT: Final = re.compile(r"^([A-Za-z_]+://)?(\[[0-9A-Fa-f:.%]+\]|[^\s:/,\[\]]+)(:\d{1,5})?$")


def _refusals(options: Mapping[str, Scalar]) -> Iterator[str]:
    for name in options:
        if name in RESERVED:
            yield f"{name} can't be set here: {RESERVED[name]}"
        elif _CALLBACKS.search(name):
            yield f"{name} is not a librdkafka setting"
        elif problem := _librdkafka_says({name: options[name]}, create=False):
            yield f"{name}: {problem}"


def _librdkafka_says(options: Mapping[str, Scalar], *, create: bool) -> str | None:
    """Ask librdkafka itself; None if it takes the options.

    A lone option of a set (SASL's mechanism without its user) is only complete with the others, so
    failures of creation count only when all are there.
    """
    try:
        # silent: the trial has no brokers, and must not complain of that
        Producer({**options, "enable.idempotence": True, "logger": SILENT})
    except (KafkaException, TypeError, ValueError) as error:
        reason = error.args[0].str() if isinstance(error, KafkaException) else "not a value that it takes"
        if reason.startswith("Failed to create producer: ") and not create:
            return None
        return _without_values(reason.removeprefix("Failed to create producer: ").strip(), options)
    return None


def _without_values(reason: str, options: Mapping[str, Scalar]) -> str:
    # librdkafka quotes some values; none of them is repeated, as it may be a secret
    for value in sorted(map(str, options.values()), key=len, reverse=True):
        if len(value) > 3:  # noqa: PLR2004 - shorter ones would hit words of the message
            reason = reason.replace(value, "[value]")
    return reason


def _checked(options: dict[str, Any]) -> dict[str, Scalar]:
    if not options:
        return options
    for name, value in options.items():
        if not isinstance(value, Scalar):
            # ValueError, since pydantic reports only that one as a finding
            raise ValueError(f"{name} must be text, a number, true or false")  # noqa: TRY004
    lowered = {k: str(v).lower() if isinstance(v, bool) else v for k, v in options.items()}
    problems = list(_refusals(lowered))
    if not problems and (problem := _librdkafka_says(lowered, create=True)):
        problems = [problem]
    if problems:
        raise ValueError("; ".join(problems))
    return lowered


def _checked_servers(value: str) -> str:
    servers = [server.strip() for server in value.split(",")]
    if not all(_HOST_PORT.match(server) for server in servers):
        raise ValueError("must be host:port, several separated by commas")
    return ",".join(servers)


_MAP: Final = json_text('must be a JSON map such as {"security.protocol": "ssl"}')
KafkaOptions = Annotated[dict[str, Any], _MAP, AfterValidator(_checked)]
BootstrapServers = Annotated[str, AfterValidator(_checked_servers)]
