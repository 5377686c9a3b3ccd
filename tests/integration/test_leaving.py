"""A member leaves its group when it has given its partitions back, at whatever moment it is told to.

Where it left before, librdkafka could not take them back any more: now and then it never returned, with
Python's lock, so this has a process of its own.
"""

import subprocess
import sys

import pytest
from confluent_kafka.admin import AdminClient

from tests.groups import PROTOCOLS, members
from tests.services import Services

pytestmark = pytest.mark.integration

PROGRAM = """
import sys, time
from contextlib import suppress
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from consumers.member import Member
from tests.eventually import PATIENCE_S, eventually

servers, topic, protocol, told = *sys.argv[1:4], []
admin = AdminClient({"bootstrap.servers": servers})

def slowly(kafka, partitions):
    told.append("assigned")
    kafka.incremental_assign(partitions)
    time.sleep(0.3)  # time enough to leave

def revoked(kafka, partitions):
    told.append("revoked, a member" if are_given() else "revoked, not a member")
    kafka.incremental_unassign(partitions)

def are_given():
    with suppress(KafkaException):  # a coordinator that is not there yet
        found = admin.describe_consumer_groups([topic])[topic].result(PATIENCE_S).members
        return any(one.assignment.topic_partitions for one in found)

options = {"bootstrap.servers": servers, "group.id": topic, "group.protocol": protocol, "log_level": 0}
if protocol == "classic":
    options["partition.assignment.strategy"] = "cooperative-sticky"
callbacks = {"on_assign": slowly, "on_revoke": revoked, "on_lost": revoked, "on_statistics": lambda _: None}
while not told:  # the broker may know before the member does, which leaves without a word then
    eventually(lambda: not are_given())
    member = Member(options, topic, **callbacks)
    eventually(are_given)  # nobody has polled: the callback waits
    member.close(5)
print(told)
"""


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_given_to_a_member_that_ends_is_given_back_before_it_leaves(
    services: Services, topic: str, admin: AdminClient, protocol: str
) -> None:
    command = [sys.executable, "-c", PROGRAM, services.addresses.kafka_bootstrap_servers, topic, protocol]
    left = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (left.returncode, left.stdout) == (0, "['assigned', 'revoked, a member']\n"), left.stderr
    assert members(admin, topic) == set()
