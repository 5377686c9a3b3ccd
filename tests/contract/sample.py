"""A vendor's sample: a good delivery of one event, and what may be said of it without knowing the vendor."""

import copy
import json
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Self

DIRECTORY = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Sample:
    """`samples/<vendor>.json`, read by the contract suite."""

    body: dict[str, Any]
    """A delivery as the vendor sends it."""
    same: dict[str, Any]
    """The same facts in another spelling: order, offsets, numbers, aliases."""
    type: str
    """Of its event."""
    item: list[str | int]
    """Where in the delivery the event's own object stands; nothing where that is the delivery."""
    user: str
    """The field of that object that names the user."""
    required: list[str]
    """Fields without which it is no event."""
    wrong: dict[str, Any]
    """Values that no event can have, each by the dotted path of its field."""

    @classmethod
    def of(cls, vendor: str) -> Self:
        return cls(**json.loads((DIRECTORY / f"{vendor}.json").read_text("utf-8")))

    def with_(self, **fields: Any) -> dict[str, Any]:
        """The delivery with more or other fields, by dotted path with `__`."""
        return self.changed({name.replace("__", "."): value for name, value in fields.items()})

    def changed(self, fields: dict[str, Any]) -> dict[str, Any]:
        told, item = self._copied()
        for path, value in fields.items():
            *above, name = path.split(".")
            reduce(lambda inner, step: inner[step], above, item)[name] = value
        return told

    def without(self, name: str) -> dict[str, Any]:
        told, item = self._copied()
        del item[name]
        return told

    def turned(self) -> dict[str, Any]:
        """The delivery with the fields of its object in the opposite order."""
        told, item = self._copied()
        fields = list(reversed(item.items()))
        item.clear()
        item.update(fields)
        return told

    def _copied(self) -> tuple[dict[str, Any], Any]:
        told = copy.deepcopy(self.body)
        return told, reduce(lambda inner, step: inner[step], self.item, told)  # type: ignore[index]  # as the sample says
