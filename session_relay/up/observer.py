"""What happened behind the relay: read from Kafka's ends and the table's own accounts, never assumed."""

from dataclasses import dataclass
from typing import Any, Final, Self

import psycopg
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it imports these without naming them
    AdminClient,
    OffsetSpec,
)
from psycopg.rows import dict_row

from config.errors import Unavailable
from config.kafka import client_options
from config.kafka_options import SILENT
from config.sections import KafkaSettings, SinkSettings

OUTCOMES: Final = ("written", "duplicate", "stale", "passed", "parked", "erased")
_TIMEOUT_S: Final = 10.0
_EARLIEST: Final[OffsetSpec] = OffsetSpec.earliest()  # type: ignore[no-untyped-call]  # no types there
_LATEST: Final[OffsetSpec] = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # likewise
_ACCOUNTS: Final = """
    SELECT partition, next_offset, first_offset, gaps, written, duplicate, stale, passed, parked, erased
    FROM consumer_offsets
    WHERE consumer_group = %s AND topic = %s
"""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The state of the log and of the sink's accounts at one moment.

    Attributes:
        records: Records that were ever published to the topic.
        lag: Records that the sink has not accounted for yet.
        outcomes: Sums over all partitions.
        stored: Rows of the run's tenant.
        unbalanced: Partitions where the outcomes don't sum to next_offset - first_offset - gaps.
    """

    records: int
    lag: int
    outcomes: dict[str, int]
    stored: int
    unbalanced: tuple[int, ...]

    def since(self, before: Self) -> Self:
        """The same, without what was there before."""
        return type(self)(
            records=self.records - before.records,
            lag=self.lag,
            outcomes={name: self.outcomes[name] - before.outcomes[name] for name in OUTCOMES},
            stored=self.stored - before.stored,
            unbalanced=self.unbalanced,
        )


class Observer:
    """Reads a demo's standing; used by one thread at a time.

    Args:
        kafka: The cluster and the topic.
        database_url: Where the table is.
        tenant: Whose rows count as stored.
    """

    def __init__(self, kafka: KafkaSettings, database_url: str, tenant: str) -> None:
        self._topic = kafka.events_topic
        self._tenant = tenant
        self._group = SinkSettings().group_id
        self._admin = AdminClient(client_options(kafka, logger=SILENT))
        self._database_url = database_url
        self._connection: psycopg.Connection[Any] | None = None

    def standing(self) -> Standing:
        """Read the accounts first and the log's ends after them, so that a lag is never too small.

        Raises:
            Unavailable: Kafka or Postgres did not answer.
        """
        try:
            accounts, stored = self._accounts()
            first, end = self._offsets(_EARLIEST), self._offsets(_LATEST)
        except (KafkaException, TimeoutError, psycopg.OperationalError) as error:
            raise Unavailable(f"It can't be seen now what became of the events: {error}") from error
        reached = first | {account["partition"]: account["next_offset"] for account in accounts}
        return Standing(
            records=sum(end.values()),
            lag=sum(max(0, end[partition] - reached[partition]) for partition in end),
            outcomes={name: sum(account[name] for account in accounts) for name in OUTCOMES},
            stored=stored,
            unbalanced=tuple(account["partition"] for account in accounts if not _balanced(account)),
        )

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """The connection that it reads by, a new one where there is none or it is broken; autocommits.

        Raises:
            psycopg.OperationalError: There is none to be had.
        """
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._database_url, autocommit=True, connect_timeout=5)
        return self._connection

    def __enter__(self) -> Self:
        """Nothing to do: it connects when it is asked."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _accounts(self) -> tuple[list[dict[str, Any]], int]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(_ACCOUNTS, (self._group, self._topic))
            accounts = cursor.fetchall()
            cursor.execute("SELECT count(*) AS rows FROM sessions WHERE tenant = %s", (self._tenant,))
            counted = cursor.fetchone()
        return accounts, counted["rows"] if counted else 0

    def _offsets(self, spec: OffsetSpec) -> dict[int, int]:
        metadata = self._admin.list_topics(self._topic, timeout=_TIMEOUT_S).topics[self._topic]
        asked = {TopicPartition(self._topic, partition): spec for partition in metadata.partitions}
        answers = self._admin.list_offsets(asked, request_timeout=_TIMEOUT_S)
        return {place.partition: answer.result(_TIMEOUT_S).offset for place, answer in answers.items()}


def _balanced(account: dict[str, Any]) -> bool:
    told: int = sum(account[name] for name in OUTCOMES)
    records: int = account["next_offset"] - account["first_offset"] - account["gaps"]
    return told == records
