"""A rebuild's fold by several processes, some partitions each; each is a child that can't outlive its parent.

A part goes on from what is committed of it in the shadow, as a whole rebuild does, so it may end or be
killed at any moment. The parent holds the replay, and does all that comes after the fold.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, NamedTuple

from config.collector import calm_collector
from config.errors import ExitCode, RelayError, SettingsError
from consumers.replay.folding import Told
from consumers.replay.rebuild import Rebuild
from consumers.replay.renormalising import RenormalisingDecoder
from session_relay.tether import tethered, with_our_code

Figures = Mapping[str, int]


class PartEnded(RelayError):
    """A process that folds has ended before its time; it has told why itself."""

    def __init__(self, status: int) -> None:
        super().__init__(f"a process that folds has ended with {status}: the same command goes on")
        if status in set(ExitCode):
            self.exit_code = ExitCode(status)


class Part(NamedTuple):
    """What one process folds."""

    replay: int
    partitions: Sequence[int]

    def __str__(self) -> str:
        return f"{self.replay}:{','.join(map(str, self.partitions))}"

    @classmethod
    def told(cls, text: str) -> "Part":
        """Read one as it is written.

        Raises:
            SettingsError: It is none.
        """
        number, _, partitions = text.partition(":")
        try:
            return cls(int(number), [int(one) for one in partitions.split(",")])
        except ValueError:
            raise SettingsError("--part is for this command's own children") from None


def shares(left: Mapping[int, int], count: int) -> list[list[int]]:
    """Deal partitions out to so many processes at most, each with about as many records as the others.

    Args:
        left: By partition, how many records are to be folded; those with none are left out.
        count: Processes.
    """
    dealt: list[list[int]] = [[] for _ in range(count)]
    loads = [0] * count
    for number in sorted(left, key=lambda one: (-left[one], one)):
        if left[number]:
            least = loads.index(min(loads))
            dealt[least].append(number)
            loads[least] += left[number]
    return [sorted(share) for share in dealt if share]


def fold_in_parts(
    parts: Sequence[Part], options: Sequence[str], *, rate: float | None, told: Told
) -> Sequence[Figures]:
    """Fold each part by a process of its own, all at once; returns what they tell in the end.

    Args:
        parts: The shadow's partitions, none twice.
        options: What the command was told that each has to be told, too.
        rate: Records a second at most, all together.
        told: Told how many records were folded.

    Raises:
        PartEnded: One has failed; the others are ended.
    """
    options = list(options)
    if rate is not None:
        options += ["--rate", str(max(0.1, rate / len(parts)))]
    with ThreadPoolExecutor(len(parts), "part") as threads, _children(parts, options) as children:
        following = [threads.submit(_follow, child, told) for child in children]
        return [one.result() for one in as_completed(following)]


@contextmanager
def _children(parts: Sequence[Part], options: Sequence[str]) -> Iterator[list[subprocess.Popen[str]]]:
    children: list[subprocess.Popen[str]] = []
    try:
        for part in parts:
            words = ["replay", "--rebuild", "--execute", *options, "--part", str(part)]
            children.append(
                subprocess.Popen(
                    tethered(signal.SIGKILL, *words),
                    env=with_our_code(dict(os.environ)),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    text=True,
                    start_new_session=True,  # Ctrl-C is for the parent
                )
            )
        yield children
    finally:
        for child in children:
            child.kill()
            child.wait()


def _follow(child: subprocess.Popen[str], told: Told) -> Figures:
    """Pass on what it tells until it ends."""
    figures: dict[str, int] = {}
    with child:
        for line in child.stdout or ():
            figures = json.loads(line)
            told(figures.pop("folded", 0))
    if child.returncode:
        raise PartEnded(child.returncode)
    return figures


def fold_part(rebuilding: Rebuild, part: Part, rate: float | None, say: Callable[[str], Any]) -> None:
    """Be such a process: fold until the sinks are nearly reached, and tell how far on lines of JSON."""
    if unknown := set(part.partitions) - rebuilding.held.end.keys():
        raise SettingsError(f"there is no partition {min(unknown)}")
    calm_collector()
    with rebuilding.joined(part.replay, part.partitions) as building:
        building.catch_up(lambda count: say(json.dumps({"folded": count})), rate)
    decoder = rebuilding.decoder
    if isinstance(decoder, RenormalisingDecoder):
        say(json.dumps({"renormalised": decoder.retold, "kept": decoder.kept}))
