"""What is wrong with a setting, as a line for people: its name and what was expected, never its value."""

from difflib import get_close_matches
from typing import Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from config.origins import FLAT
from config.webhook_sources import Scheme, Source

FLAT_NAME_OF: Final = {nested: flat for flat, nested in FLAT.items()}
_SCHEME_DEPTH: Final = 4
"""Steps of a path below `sources` from which on it speaks of one scheme."""


def setting_name(path: tuple[int | str, ...]) -> str:
    """Name a place in the tree as people set it: `SINK__BATCH_ROWS`, `SOURCES.asleep.vendor`."""
    nested = _nested_name(path)
    return FLAT_NAME_OF.get(nested, nested)


def _nested_name(path: tuple[int | str, ...]) -> str:
    if path[0] == "sources":  # names of entries keep their case
        return ".".join(["SOURCES", *map(str, path[1:])])
    return "__".join(map(str, path)).upper()


def problem_line(detail: ErrorDetails, tree: type[BaseModel]) -> str:
    """Tell one finding of pydantic's as `NAME: what was expected`.

    Args:
        detail: The finding; its input is left out, as it may be a secret.
        tree: The class of the whole tree, for names that come near an unknown one.
    """
    path = detail["loc"]
    if detail["type"] == "extra_forbidden":
        return f"{setting_name(path)}: unknown{_nearest(path, tree)}"
    text = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{setting_name(path)}: {text}"


def _nearest(path: tuple[int | str, ...], tree: type[BaseModel]) -> str:
    names = list(_siblings(path, tree))
    matches = get_close_matches(str(path[-1]).lower(), names, n=1)
    return f", did you mean {_nested_name((*path[:-1], matches[0]))}?" if matches else ""


def _siblings(path: tuple[int | str, ...], tree: type[BaseModel]) -> list[str]:
    """Names that are known where an unknown one stood."""
    if len(path) == 1:
        return list(tree.model_fields)
    if path[0] == "sources":
        return list((Scheme if len(path) >= _SCHEME_DEPTH else Source).model_fields)
    section = tree.model_fields[str(path[0])].annotation
    return list(section.model_fields) if isinstance(section, type) and issubclass(section, BaseModel) else []
