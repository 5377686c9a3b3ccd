"""Where nights come from: the model, or a file of nights that somebody scored."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from random import Random

from config.errors import ExitCode, RelayError
from session_relay.simulate import hypnogram

_STAGES = (-1, 0, 1, 2, 3)
_TYPES = {"source": str, "subject": str, "night": int, "epoch_seconds": int, "stages": list}
_DAY_S = 86_400


class NightsError(RelayError):
    """A file of nights that can't be used; the message names the line and the field."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Night:
    """A stage per epoch (-1 none, 0 wake, 1 light, 2 deep, 3 REM) and the length of an epoch in seconds."""

    stages: tuple[int, ...]
    epoch_s: int = hypnogram.EPOCH_S


def drawn(rng: Random) -> Iterator[Night]:
    """Draw nights from the model, without end."""
    while True:
        yield Night(tuple(hypnogram.night(rng)))


def from_file(path: Path) -> Iterator[Night]:
    """Read the nights of a file and repeat them without end.

    The file holds one JSON object a line: `{"source", "subject", "night", "epoch_seconds", "stages"}`, where
    the stages are numbers from -1 (none) to 3 (REM).

    Raises:
        NightsError: The file can't be read, is empty, or a line is not such an object.
    """
    return cycle(load(path))


def load(path: Path) -> Sequence[Night]:
    """Read every night of a file, in its order.

    Raises:
        NightsError: As `from_file`.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NightsError(
            f"{path}: can't be read as text: {getattr(error, 'strerror', None) or 'not UTF-8'}"
        ) from error
    nights = [
        _night(f"{path}, line {number}", line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip()
    ]
    if not nights:
        raise NightsError(f"{path}: holds no night")
    return nights


def _night(where: str, line: str) -> Night:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NightsError(f"{where}: not JSON") from error
    if not isinstance(found, dict):
        raise NightsError(f"{where}: not an object")
    for field, wanted in _TYPES.items():
        if field not in found:
            raise NightsError(f"{where}: field {field} is missing")
        if not isinstance(found[field], wanted) or isinstance(found[field], bool):
            raise NightsError(f"{where}: field {field} is not of type {wanted.__name__}")
    for index, stage in enumerate(found["stages"]):
        if isinstance(stage, bool) or not isinstance(stage, int) or stage not in _STAGES:
            raise NightsError(f"{where}: field stages[{index}] is not one of -1, 0, 1, 2, 3")
    if not found["stages"]:
        raise NightsError(f"{where}: field stages is empty")
    if not 1 <= found["epoch_seconds"] <= _DAY_S:
        raise NightsError(f"{where}: field epoch_seconds is not within 1 to {_DAY_S}")
    return Night(tuple(found["stages"]), found["epoch_seconds"])
