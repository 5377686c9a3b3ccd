"""The backfill's process: what it is wired of, and how it ends."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Final

import stamina
import structlog

from config.clock import Clock, SystemClock
from config.errors import ExitCode, RelayError
from config.health import Health
from config.settings import Settings
from config.sidecar import Sidecar
from config.webhook_sources import Source
from producers.backfill.asleep import redaction_of
from producers.backfill.circuit import NAME, Circuit
from producers.backfill.client import Client
from producers.backfill.finished import Finished, today
from producers.backfill.order import Order, key_of, look_for_the_topic, source_of
from producers.backfill.outlet import DryOutlet, KafkaOutlet, Outlet
from producers.backfill.tally import Tally
from producers.backfill.users import write_failed
from producers.backfill.wire import Wire
from producers.backfill.work import Work, work_through
from producers.delivery import Context
from producers.publish import Publisher
from producers.sources import VENDORS
from schemas.by_settings import writing_frame
from schemas.codec import PREFIX

log = structlog.get_logger()

_TURN_S: Final = 0.25
_FLUSH_S: Final = 5.0


class ProducerFailed(RelayError):
    """librdkafka's producer can never work again; the same command goes on where this one ended."""


def run(settings: Settings, order: Order, tally: Tally, watch: Callable[[], None]) -> ExitCode:
    """Fetch and publish until all is done, or SIGTERM or SIGINT.

    Args:
        settings: All of them.
        order: What is to be fetched.
        tally: Is kept up to date.
        watch: Called a few times a second, to show the tally.

    Raises:
        SettingsError: The source, the key or the address is no good, as far as it is known beforehand or as
            the vendor says.
        Unavailable: The vendor or Kafka is away for too long.
        ProducerFailed: Kafka's producer has failed for good.
    """
    source, key = source_of(settings, order.source), key_of(settings)
    stamina.instrumentation.set_on_retry_hooks([])  # a retry is counted; each one is no news
    if not order.dry:
        look_for_the_topic(settings)
    frame = PREFIX if order.dry else writing_frame(settings.schema_registry, settings.kafka.events_topic)
    with ExitStack() as stack:
        finished = None
        if not order.dry:
            noted = Finished(order.state, order.source, order.days, today(SystemClock()))
            finished = stack.enter_context(noted)
        users = [user for user in order.users if finished is None or user not in finished]
        tally.begin(len(order.users), len(order.users) - len(users))
        failed: list[str] = []
        try:
            run = _Run(settings, order, source, key, tally, watch, frame)
            asyncio.run(run.through(users, finished, failed))
        finally:
            if order.failed is not None:
                write_failed(order.failed, failed)
        if finished is not None and tally.complete and not tally.stopped:
            finished.remove()
    return ExitCode.DONE if tally.complete and not tally.stopped else ExitCode.FAILED


@dataclass(frozen=True)
class _Run:
    settings: Settings
    order: Order
    source: Source
    key: str
    tally: Tally
    watch: Callable[[], None]
    frame: bytes
    clock: Clock = SystemClock()  # noqa: RUF009 - it has no state

    async def through(self, users: Sequence[str], finished: Finished | None, failed: list[str]) -> None:
        """Work until all is done, something ends it, or a signal comes; who fails is added to `failed`."""
        ending: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        for signum in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signum, _end, ending, None)
        health = Health(self.clock)
        async with AsyncExitStack() as stack:
            outlet, publisher = self._outlet(health, ending)
            if publisher is not None:
                stack.callback(publisher.close, _FLUSH_S)
            if self.settings.metrics.enabled:
                stack.callback(self._sidecar(health, publisher).stop)
            work = self._work(stack, health, outlet, finished)
            log.info("backfill_started", users=len(users), earlier=self.tally.earlier, dry=self.order.dry)
            working = asyncio.create_task(work_through(work, users, failed, self.settings.backfill.workers))
            while not working.done() and not ending.done():
                health.beat()
                self.watch()
                either: set[asyncio.Future[Any]] = {working, ending}
                await asyncio.wait(either, timeout=_TURN_S, return_when=asyncio.FIRST_COMPLETED)
            health.stopping()
            await self._ended(working, ending)
            self.watch()
        log.info("backfill_stopped" if self.tally.stopped else "backfill_done", **self.tally.figures())

    async def _ended(self, working: "asyncio.Task[None]", ending: "asyncio.Future[str | None]") -> None:
        if not working.done():  # what is under way is dropped: it is fetched again, and is the same event
            self.tally.stopped = True
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
        if ending.done() and (reason := ending.result()) is not None:
            raise ProducerFailed(f"Kafka's producer failed for good: {reason}")
        if not working.cancelled():
            if isinstance(errors := working.exception(), ExceptionGroup):
                raise errors.exceptions[0]  # each one says why it all ends; more of them say the same
            working.result()

    def _outlet(
        self, health: Health, ending: "asyncio.Future[str | None]"
    ) -> tuple[Outlet, Publisher | None]:
        kafka = health.dependency("kafka", needed=True)
        topic, patience_s = self.settings.kafka.events_topic, self.settings.backfill.patience_s
        if self.order.dry:
            return DryOutlet(topic, kafka), None
        publisher = Publisher(
            self.settings.kafka,
            deadline_s=self.settings.relay.deadline_s,
            dependency=kafka,
            clock=self.clock,
            on_fatal=lambda reason: _end(ending, reason),
        )
        return KafkaOutlet(publisher, topic, patience_s, self.frame), publisher

    def _work(self, stack: AsyncExitStack, health: Health, outlet: Outlet, finished: Finished | None) -> Work:
        settings = self.settings
        circuit = Circuit(
            failures=settings.breaker.failures,
            reset_s=settings.breaker.reset_s,
            patience_s=settings.backfill.patience_s,
            clock=self.clock,
        )
        wire = Wire(
            self.key,
            connections=settings.backfill.workers,
            timeout_s=settings.http.request_timeout_s,
            max_bytes=settings.relay.max_body_bytes,
        )
        stack.push_async_callback(wire.close)
        client = Client(
            settings.backfill,
            circuit,
            wire,
            health.dependency(NAME, needed=True),
            self.clock,
            self.tally,
        )
        return Work(
            client=client,
            outlet=outlet,
            days=self.order.days,
            context=self._context,
            redaction=redaction_of([*VENDORS[self.source.vendor].redact, *self.source.redact]),
            finished=finished,
            today=lambda: today(self.clock),
            good_answers=lambda: circuit.good_answers,
            tally=self.tally,
        )

    def _context(self) -> Context:
        return Context(
            self.order.source, self.source.tenant, self.clock.now_us(), self.settings.relay.keep_raw
        )

    def _sidecar(self, health: Health, publisher: Publisher | None) -> Sidecar:
        sidecar = Sidecar(
            role="backfill",
            host=self.settings.metrics.host,
            port=self.settings.metrics.backfill_port,
            interval_s=self.settings.metrics.interval_s,
            health=health,
            clock=self.clock,
            samplers=[] if publisher is None else [publisher.sample],
        )
        sidecar.start()
        return sidecar


def _end(ending: "asyncio.Future[str | None]", reason: str | None) -> None:
    if not ending.done():
        ending.set_result(reason)
