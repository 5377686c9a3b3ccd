"""A topic and a database that belong to one test, or one round, alone."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from psycopg import sql
from psycopg.conninfo import make_conninfo

from config.migrations.apply import migrate
from tests.eventually import eventually

PARTITIONS = 3
FOREVER = {"retention.ms": "-1"}
"""Records of tests bear the times that suit them; every five minutes the broker removes what is too old."""
QUIET = {"log_level": 0}
"""For clients of ours that live through an outage."""
_PASSING = {"INVALID_REPLICATION_FACTOR", "REQUEST_TIMED_OUT", "_TIMED_OUT"}
_TEMPLATE = "template_migrated"


def own_topic(admin: AdminClient) -> str:
    """A new topic, with its dead-letter topic `<topic>.dlq`."""
    name = f"test-{uuid.uuid4()}"
    wanted = [
        NewTopic(name, PARTITIONS, 1, config=FOREVER | {"max.message.bytes": str(4 * 1024 * 1024)}),
        NewTopic(f"{name}.dlq", 1, 1, config=FOREVER | {"max.message.bytes": str(5 * 1024 * 1024)}),
    ]
    eventually(lambda: _are_made(admin, wanted), every_s=0.2)
    return name


def _are_made(admin: AdminClient, wanted: Sequence[NewTopic]) -> bool:
    """Whether they are there now; not while no broker counts as alive, as after a test that froze it."""
    made = admin.create_topics(list(wanted), request_timeout=15).values()
    errors = [one.exception() for one in made]
    told = {error.args[0].name() for error in errors if isinstance(error, KafkaException)}
    if unknown := told - {"TOPIC_ALREADY_EXISTS", *_PASSING}:
        raise AssertionError(f"no topic: {sorted(unknown)}")
    return not told & _PASSING


def migrated_template(url: str, name: str = _TEMPLATE) -> str:
    """Make the database that `own_database` copies, where there is none yet."""
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            return name
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrate(make_conninfo(url, dbname=name))
    return name


def drop(of_all: str, name: str) -> None:
    """Remove a database, whoever is connected to it."""
    with psycopg.connect(of_all, autocommit=True) as connection:  # a test may have restarted the server
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def own_database(of_all: str, template: str) -> Iterator[str]:
    """A new migrated database; gone after the block."""
    name = f"test-{uuid.uuid4()}"
    with psycopg.connect(of_all, autocommit=True) as connection:
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(made.format(sql.Identifier(name), sql.Identifier(template)))
    yield make_conninfo(of_all, dbname=name)
    drop(of_all, name)
