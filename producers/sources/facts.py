"""Taking facts out of a vendor's JSON: each one checked, every problem collected, nothing lost.

What is not taken as a fact stays, and becomes an attribute.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, get_type_hints

import msgspec
from msgspec import Meta

from schemas.codec import Problem
from schemas.event import EPOCH_NONE, MAX_TIME_US, MIN_TIME_US, Statistics

Layer = tuple[str, dict[str, Any]]
"""A prefix for paths, and an object of the body whose fields stand beside those of other layers."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_Moment = Annotated[datetime, Meta(tz=True)]
_to_json = msgspec.json.Encoder().encode
_STATISTICS: Final = get_type_hints(Statistics, include_extras=True)

STAGE_DIGITS: Final = b"0123-"
"""Stages as each is written in JSON, where - stands for -1: one character an epoch."""
STAGE_OF_DIGIT: Final = bytes.maketrans(STAGE_DIGITS, bytes([0, 1, 2, 3, EPOCH_NONE]))


class Facts:
    """The fields of an object, or of several that stand for one, taken one by one.

    Args:
        layers: Where to look. What a later one tells differently is a problem if it is a fact.
        problems: Where to note what is wrong.
    """

    def __init__(self, layers: Sequence[Layer], problems: list[Problem]) -> None:
        self.problems = problems
        self._layers = layers
        self._told: dict[str, Any] = {}
        self._outer: dict[str, Any] = {}
        if layers:
            self._told = layers[0][1].copy()
        for _, layer in layers[1:]:
            if not self._told.keys().isdisjoint(layer):
                twice = {name: layer[name] for name in self._told.keys() & layer if layer[name] is not None}
                self._outer |= {name: value for name, value in twice.items() if value != self._told[name]}
            self._told = layer | self._told

    def take(self, name: str, alias: str | None = None) -> Any:
        """The value told under a name or its alias, None if there is none; two that differ are a problem."""
        value = self._told.pop(name, None)
        if alias is not None and (second := self._told.pop(alias, None)) is not None:
            if value is None:
                value = second
            elif value != second:
                self.refuse(alias, f"differs from {name}")
        if self._outer and (name in self._outer or alias in self._outer):
            told_again = self._outer.pop(name, None) or self._outer.pop(alias or name, None)
            if value is None:
                return told_again
            self.refuse(name, "is told twice, differently")
        return value

    def told(self) -> dict[str, Any]:
        """What nobody took yet."""
        return self._told

    def refuse(self, name: str, problem: str, alias: str | None = None) -> None:
        """Note a problem with a field, under the path where it stands."""
        for candidate in (name, alias):
            for prefix, layer in self._layers:
                if candidate in layer:
                    self.problems.append(Problem(f"{prefix}{candidate}", problem))
                    return
        self.problems.append(Problem(name, problem))

    def text(self, name: str, alias: str | None = None, *, required: bool = False) -> str | None:
        """A text of 1 to 255 characters: an id, a name, a zone."""
        value = self.take(name, alias)
        if is_identifier(value):
            return value  # type: ignore[no-any-return]  # it has just been looked at
        if value is not None:
            self.refuse(name, "must be a text of 1 to 255 characters", alias)
        elif required:
            self.refuse(name, "is missing")
        return None

    def integer(self, name: str, low: int, high: int) -> int | None:
        """A whole number, written as one: neither 1.0 nor true."""
        value = self.take(name)
        if value is None or (type(value) is int and low <= value <= high):
            return value
        self.refuse(name, f"must be a whole number from {low} to {high}")
        return None

    def time_us(self, name: str) -> int | None:
        """An RFC 3339 time with its offset, as microseconds since 1970-01-01 UTC."""
        if (value := self.take(name)) is None:
            return None
        if (time_us := as_time_us(value)) is None:
            self.refuse(name, "must be an RFC 3339 time with an offset, in the years 1 to 9999")
        return time_us

    def stages(self, name: str, alias: str | None = None) -> bytes | None:
        """A hypnogram: -1 (none), 0 (wake), 1 (light), 2 (deep), 3 (REM) per epoch; one byte each."""
        if (value := self.take(name, alias)) is None:
            return None
        if (stages := as_stages(value)) is None:
            self.refuse(name, "must be a list of whole numbers from -1 to 3", alias)
        return stages

    def inner(self, name: str) -> "Facts | None":
        """The facts of an object inside."""
        if (value := self.take(name)) is None:
            return None
        if not isinstance(value, dict):
            self.refuse(name, "must be an object")
            return None
        prefix = next((prefix for prefix, layer in self._layers if name in layer), "")
        return Facts([(f"{prefix}{name}.", value)], self.problems)

    def rest(self, prefix: str = "") -> dict[str, str]:
        """What nobody took, as attributes: texts as they are, anything else as compact JSON, nulls left out.

        Args:
            prefix: Stands before each name. A second value of a name is there as `outer.` and the name.
        """
        attributes = {
            prefix + name: value if isinstance(value, str) else as_attribute(value)
            for name, value in self._told.items()
            if value is not None
        }
        for name, value in self._outer.items():
            attributes[f"outer.{prefix}{name}"] = as_attribute(value)
        return attributes


def as_attribute(value: object) -> str:
    """A value as an attribute's text."""
    return value if isinstance(value, str) else _to_json(value).decode()


def is_identifier(value: object) -> bool:
    """Whether it can be an id."""
    return isinstance(value, str) and 0 < len(value) <= 255  # noqa: PLR2004 - the schema's


def as_time_us(value: object) -> int | None:
    """An RFC 3339 text as microseconds since 1970-01-01 UTC; None if it is none that can be stored."""
    try:
        since = msgspec.convert(value, _Moment) - _EPOCH if isinstance(value, str) else None
    except msgspec.ValidationError:
        return None
    if since is None:
        return None
    time_us = since // timedelta(microseconds=1)
    return time_us if MIN_TIME_US <= time_us <= MAX_TIME_US else None


def as_stages(value: object) -> bytes | None:
    """A list of stages as one byte each, -1 as 255; None if it is something else."""
    if not isinstance(value, list):
        return None
    # as JSON each stage is one character, -1 aside, and so is each comma: half the time of looking at
    # every number, and what is no stage, 1.0 and true included, falls out of step or is no digit
    told = _to_json(value)[1:-1].replace(b"-1", b"-")
    stages = told[::2]
    if told[1::2] != b"," * (len(told) // 2) or stages.translate(None, STAGE_DIGITS):
        return None
    return stages.translate(STAGE_OF_DIGIT)


def as_statistic(name: str, value: object) -> float | None:
    """A statistic in its field's own type and range; None if it does not fit, or there is no such field."""
    if name not in _STATISTICS:
        return None
    try:
        return msgspec.convert(value, _STATISTICS[name])  # type: ignore[no-any-return] # a field's own type
    except msgspec.ValidationError:
        return None
