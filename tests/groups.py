"""Consumer groups of both protocols, quick enough for tests: what a broker is told, and who is in them."""

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.eventually import PATIENCE_S

PROTOCOLS = ("classic", "consumer")
HEARTBEAT_MS = 300


def let_sessions_last(admin: AdminClient, group: str, session_ms: int) -> None:
    """Say how soon a group of KIP-848 does without a member that died: its members are not asked."""
    wanted = {"consumer.session.timeout.ms": session_ms, "consumer.heartbeat.interval.ms": HEARTBEAT_MS}
    entries = [
        ConfigEntry(name, str(value), incremental_operation=AlterConfigOpType.SET)
        for name, value in wanted.items()
    ]
    resource = ConfigResource(ResourceType.GROUP, group, incremental_configs=entries)
    for changed in admin.incremental_alter_configs([resource]).values():
        changed.result(PATIENCE_S)


def members(admin: AdminClient, group: str) -> set[str]:
    """Ids of those who are in it now."""
    told = admin.describe_consumer_groups([group])[group].result(PATIENCE_S)
    return {member.member_id for member in told.members}
