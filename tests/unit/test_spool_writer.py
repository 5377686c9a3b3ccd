"""The spool's writer: one commit for a burst, all or nothing for a delivery, and back after a failure."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from structlog.testing import capture_logs

from config.clock import SystemClock
from config.health import Dependency
from producers.delivery import NotAcknowledged, Refusal, Whereabouts
from producers.publish import Pending, Record
from producers.spool.file import SetAside, SpoolFile, size_bytes
from producers.spool.place import Place
from producers.spool.writer import SpoolWriter
from tests.eventually import eventually

RECORD = Record("topic", b"key", b"value", [("ce_id", b"1")])
SIZE = size_bytes(RECORD)
Outcome = Whereabouts | Refusal


class Spool:
    """A writer in a directory, and how often it found rows to drain."""

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self.commits = 0
        self.dependency = Dependency(name="spool", needed=False, clock=SystemClock())
        self.writer = SpoolWriter(
            Place.first_free(directory),
            max_bytes=max_bytes,
            dependency=self.dependency,
            clock=SystemClock(),
            on_rows=self._note,
        )
        self.writer.start()

    def _note(self) -> None:
        self.commits += 1

    def append(self, records: int = 1) -> "asyncio.Future[Outcome]":
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.writer.append(Pending(future, [RECORD] * records, 0))
        return future

    def ids(self) -> list[int]:
        with SpoolFile(self.writer.path) as file:
            return [row.id for row in file.read(0, 10_000, 10**9)]


def run(directory: Path, scenario: Callable[[Spool], Awaitable[None]], max_bytes: int = 10**9) -> None:
    async def whole() -> None:
        spool = Spool(directory, max_bytes)
        try:
            await asyncio.wait_for(scenario(spool), 20)
        finally:
            spool.writer.close(5)

    asyncio.run(whole())


async def until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(eventually, condition)


def test_a_burst_is_committed_at_once_in_order(tmp_path: Path) -> None:
    async def scenario(spool: Spool) -> None:
        outcomes = await asyncio.gather(*(spool.append() for _ in range(300)))
        assert set(outcomes) == {"spooled"}
        assert spool.ids() == list(range(1, 301))
        assert spool.commits <= 5  # a commit each would be 300
        assert (spool.writer.events, spool.writer.size_bytes) == (300, 300 * SIZE)
        assert spool.writer.unwritten == 0

    run(tmp_path, scenario)


def test_what_does_not_fit_is_refused_whole_and_room_comes_back(tmp_path: Path) -> None:
    async def scenario(spool: Spool) -> None:
        first, large, last = spool.append(3), spool.append(2), spool.append(1)
        assert (await first, await last) == ("spooled", "spooled")
        refusal = await large
        assert isinstance(refusal, NotAcknowledged)
        assert refusal.reason == "spool_full"
        assert not spool.dependency.up
        assert spool.ids() == [1, 2, 3, 4]
        assert spool.writer.room_bytes() == 0
        spool.writer.forget(3)
        await until(lambda: spool.dependency.up)
        assert spool.writer.room_bytes() == 3 * SIZE
        assert await spool.append(3) == "spooled"
        assert spool.ids() == [4, 5, 6, 7]

    run(tmp_path, scenario, max_bytes=4 * SIZE)


def test_what_is_set_aside_keeps_its_room(tmp_path: Path) -> None:
    async def scenario(spool: Spool) -> None:
        await spool.append(3)
        spool.writer.forget(3, [SetAside(2, "INVALID_RECORD")])
        await until(lambda: spool.writer.events == 0)
        assert (spool.writer.set_aside, spool.writer.size_bytes) == (1, SIZE)

    run(tmp_path, scenario)


def test_a_restart_goes_on_behind_what_is_there(tmp_path: Path) -> None:
    async def before(spool: Spool) -> None:
        await spool.append(2)

    async def after(spool: Spool) -> None:
        assert (spool.writer.events, spool.writer.last_id, spool.commits) == (2, 2, 1)
        await spool.append()
        assert spool.ids() == [1, 2, 3]

    run(tmp_path, before)
    run(tmp_path, after)


def test_closing_writes_what_waits(tmp_path: Path) -> None:
    async def scenario(spool: Spool) -> None:
        future = spool.append()
        spool.writer.close(5)
        assert await future == "spooled"

    run(tmp_path, scenario)
    assert Place.first_free(tmp_path).path.name == "relay-0.db"  # the lock is free again


def test_a_file_that_can_not_be_opened_refuses_until_it_can(tmp_path: Path) -> None:
    (tmp_path / "relay-0.db").write_bytes(b"no database" * 1_000)

    async def scenario(spool: Spool) -> None:
        for _ in range(2):
            refusal = await spool.append()
            assert isinstance(refusal, NotAcknowledged)
            assert refusal.reason == "spool_unavailable"
        assert not spool.dependency.up
        (tmp_path / "relay-0.db").unlink()
        await until(lambda: spool.dependency.up)
        assert await spool.append() == "spooled"

    with capture_logs() as lines:
        run(tmp_path, scenario)
    assert [line["event"] for line in lines] == ["spool_failed"]  # once, though it was never well before


def test_a_disk_that_hangs_refuses_what_waits_and_may_still_write_it(tmp_path: Path) -> None:
    async def scenario(spool: Spool) -> None:
        await spool.append()
        with SpoolFile(spool.writer.path) as other, other._transaction():  # so the next commit waits for it
            first = spool.append()
            await until(lambda: spool.writer._writing is not None)
            second = spool.append()
            spool.writer.refuse_late(60)
            assert not first.done()
            spool.writer.refuse_late(0)
            third = spool.append()
            assert all(one.done() for one in (first, second, third))
            assert spool.writer.unwritten == 0  # nobody waits, and nothing is kept but what is being written
            refusals = await first, await second, await third
            assert not spool.dependency.up
        told = [one.reason for one in refusals if isinstance(one, NotAcknowledged)]
        assert told == ["spool_unavailable"] * 3
        await until(lambda: spool.dependency.up)
        await until(lambda: spool.writer._writing is None)
        spool.writer.refuse_late(0)
        assert await spool.append() == "spooled"
        assert spool.ids() == [1, 2, 3]
        assert spool.writer.unwritten == 0

    run(tmp_path, scenario)
