"""What is wrong with a setting, as a line for people: its name and what was expected, never its value."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from config.origins import FLAT
from config.webhook_schemes import SCHEMES
from config.webhook_sources import Source

FLAT_NAME_OF: Final = {nested: flat for flat, nested in FLAT.items()}
_SCHEME_DEPTH: Final = 4
"""Steps of a path below `sources` to one scheme; the next is its kind, which nobody writes there."""
_NO_SUCH_SCHEME: Final = frozenset({"union_tag_invalid", "union_tag_not_found"})


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
    path, kind = _scheme_apart(detail["loc"])
    if detail["type"] in _NO_SUCH_SCHEME:  # the library's own sentence repeats the value
        return f"{setting_name((*path, 'scheme'))}: should be one of {', '.join(SCHEMES)}"
    if detail["type"] == "extra_forbidden":
        if any(path[-1] in other.model_fields for other in SCHEMES.values()) and kind is not None:
            return f"{setting_name(path)}: does not belong to scheme {kind}"
        return f"{setting_name(path)}: unknown{_nearest(path, _siblings(path, kind, tree))}"
    text = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{setting_name(path)}: {text}"


def _scheme_apart(path: tuple[int | str, ...]) -> tuple[tuple[int | str, ...], str | None]:
    """The path as people write it, and of which kind of scheme it speaks."""
    if len(path) > _SCHEME_DEPTH and path[0] == "sources" and path[2] == "schemes":
        return path[:_SCHEME_DEPTH] + path[_SCHEME_DEPTH + 1 :], str(path[_SCHEME_DEPTH])
    return path, None


def _nearest(path: tuple[int | str, ...], siblings: Iterable[str]) -> str:
    matches = get_close_matches(str(path[-1]).lower(), list(siblings), n=1)
    return f", did you mean {_nested_name((*path[:-1], matches[0]))}?" if matches else ""


def _siblings(path: tuple[int | str, ...], kind: str | None, tree: type[BaseModel]) -> list[str]:
    """Names that are known where an unknown one stood."""
    if len(path) == 1:
        return list(tree.model_fields)
    if path[0] == "sources":
        return list((Source if kind is None else SCHEMES[kind]).model_fields)
    section = tree.model_fields[str(path[0])].annotation
    return list(section.model_fields) if isinstance(section, type) and issubclass(section, BaseModel) else []
