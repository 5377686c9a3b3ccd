"""Emptying the file of a process that will not come back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Error
from threading import Event
from typing import Self

from config.errors import RelayError
from config.sections import KafkaSettings
from producers.kafka_errors import MENDABLE
from producers.spool.drain import BATCH_BYTES, BATCH_ROWS, publish
from producers.spool.file import Held, SpoolFile
from producers.spool.ordered import OrderedPublisher
from producers.spool.place import Place


@dataclass(frozen=True, slots=True)
class Takeover:
    """A spool file whose owner is gone, locked by us."""

    _file: SpoolFile

    @classmethod
    @contextmanager
    def of(cls, path: Path) -> Iterator[Self]:
        """Lock and open a file that is there.

        Raises:
            SpoolInUse: Its owner lives.
            SettingsError: There is no such file.
            RelayError: It can't be read or written.
        """
        place = Place.of(path)
        try:
            with SpoolFile(path) as file:
                yield cls(file)
        except Error as error:
            raise RelayError(f"{path} can't be used: {error}") from error
        finally:
            place.release()

    def held(self) -> Held:
        """What the file holds."""
        return self._file.held()

    def take_back(self) -> None:
        """Queue again what was set aside for something that may be mended by now."""
        self._file.take_back(MENDABLE)

    def reasons(self) -> dict[str, int]:
        """How many events were set aside, by the name of Kafka's error, or `DAMAGED`."""
        return self._file.reasons()

    def drain(self, kafka: KafkaSettings, timeout_s: float) -> Iterator[int]:
        """Bring all to Kafka, in order, and delete it once it is acknowledged; a kill costs only repeats.

        Args:
            kafka: Where to.
            timeout_s: Seconds without any acknowledgement after which it gives up.

        Yields:
            How many events more have left the file's queue, after each batch.

        Raises:
            Unavailable: Kafka is away; what was not acknowledged is still in the file.
        """
        publisher, through = OrderedPublisher(kafka, Event()), 0
        try:
            while rows := self._file.read(through, BATCH_ROWS, BATCH_BYTES):
                aside = publish(publisher, rows, timeout_s)
                through = rows[-1].id
                self._file.write((), aside, through)
                yield len(rows)
            self._file.tidy()
        finally:
            publisher.close()
