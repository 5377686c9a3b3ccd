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
_QUICK = {"consumer.session.timeout.ms": "2000", "consumer.heartbeat.interval.ms": "300"}


def make_quick(admin: AdminClient, group: str) -> None:
    """Let a group of KIP-848 do soon without a member that died: its members are not asked."""
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in _QUICK.items()
    ]
    resource = ConfigResource(ResourceType.GROUP, group, incremental_configs=entries)
    for changed in admin.incremental_alter_configs([resource]).values():
        changed.result(PATIENCE_S)


def members(admin: AdminClient, group: str) -> set[str]:
    """Ids of those who are in it now."""
    told = admin.describe_consumer_groups([group])[group].result(PATIENCE_S)
    return {member.member_id for member in told.members}
