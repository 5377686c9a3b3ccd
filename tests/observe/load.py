"""Steady small deliveries beside a drill, so that there is something to rate; no answer is borne."""

import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Final

import httpx

from tests.deliveries import as_body, generic_session
from tests.eventually import PATIENCE_S

LANES: Final = 4
EACH_S: Final = 0.1
"""Between two deliveries of a lane: about 40 a second in all."""


class Load:
    """What was answered so far, by status; 0 is no answer."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()

    @contextmanager
    def to(self, url: str) -> Iterator["Load"]:
        """Send until the block ends."""
        stop = threading.Event()
        lanes = [threading.Thread(target=self._send, args=(url, stop), daemon=True) for _ in range(LANES)]
        for lane in lanes:
            lane.start()
        try:
            yield self
        finally:
            stop.set()
            for lane in lanes:
                lane.join()

    def _send(self, url: str, stop: threading.Event) -> None:
        run = str(uuid.uuid4())
        with httpx.Client(timeout=PATIENCE_S, trust_env=False) as client:
            for number in count():
                told = generic_session(user_id=f"{run}-{number % 50}", session_id=f"{run}-{number}")
                try:
                    status = client.post(f"{url}/webhooks/plain", content=as_body(told)).status_code
                except httpx.TransportError:
                    status = 0
                self.statuses[status] += 1
                if stop.wait(EACH_S):
                    return
