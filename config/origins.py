"""Where settings come from: the environment, `.env`, files of secrets, a TOML file; the first one wins.

Names are taken in any case. `__` nests; people's flat names stand for places in the tree. An empty
value counts as not set, as compose files pass it for what is left out.
"""

import json
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dotenv import dotenv_values

FLAT: Final[Mapping[str, str]] = {
    "ENVIRONMENT": "APP__ENVIRONMENT",
    "LOG_LEVEL": "APP__LOG_LEVEL",
    "LOG_FORMAT": "APP__LOG_FORMAT",
    "SENTRY_DSN": "APP__SENTRY_DSN",
    "API_HOST": "HTTP__HOST",
    "API_PORT": "HTTP__PORT",
    "MAX_CONNECTIONS": "HTTP__MAX_CONNECTIONS",
    "REQUEST_TIMEOUT": "HTTP__REQUEST_TIMEOUT_S",
    "DATABASE_URL": "DB__URL",
    "DB_HOST": "DB__HOST",
    "DB_PORT": "DB__PORT",
    "DB_NAME": "DB__NAME",
    "DB_USER": "DB__USER",
    "DB_PASSWORD": "DB__PASSWORD",
    "REDIS_URL": "REDIS__URL",
    "ENABLE_METRICS": "METRICS__ENABLED",
    "SCHEMA_REGISTRY_URL": "SCHEMA_REGISTRY__URL",
    "ASLEEP_BASE_URL": "BACKFILL__ASLEEP_BASE_URL",
    "ASLEEP_API_KEY": "BACKFILL__ASLEEP_API_KEY",
}
"""Flat names and the nested ones that they stand for."""
JSON_BRANCHES: Final = ("SOURCES", "KAFKA__OPTIONS")
"""Settings that are maps: their JSON is read here, so that maps of several origins merge."""

Tree = dict[str, Any]


@dataclass
class Origins:
    """What was found: one tree for each origin, the winning one first, and what could not be read."""

    trees: list[Tree] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """All that the environment, `.env` and files of secrets tell, ours or not; the winning one's value."""
    problems: list[str] = field(default_factory=list)


def read(sections: frozenset[str]) -> Origins:
    """Read every origin once.

    Args:
        sections: Names of the tree's branches; of the environment only what begins with one is ours.
    """
    environment = _upper(os.environ)
    dotenv = _upper({k: v for k, v in dotenv_values(".env").items() if v is not None})
    origins = Origins()
    pointers = dotenv | environment
    secrets = _secret_files(pointers.get("SECRETS_DIR"), origins.problems)
    for names in (environment, dotenv, secrets):
        origins.trees.append(_nested(names, sections))
        origins.names = names | origins.names
    origins.trees.append(_toml_file(pointers.get("CONFIG_FILE"), origins.problems))
    keys = (names["ASLEEP_API_KEY"] for names in (environment, dotenv, secrets) if "ASLEEP_API_KEY" in names)
    if key := next(keys, None):
        # last: it fills in what an entry of that name leaves open, and alone it makes the entry
        entry = {"vendor": "asleep", "schemes": [{"scheme": "api_key", "secrets": [key]}]}
        origins.trees.append({"sources": {"asleep": entry}})
    return origins


def misspelt(names: Mapping[str, str], known: Iterable[str], is_set: Callable[[str], bool]) -> list[str]:
    """What is wrong with names that would be a setting of ours with two underscores in place of one.

    Args:
        names: What was found, with its values.
        known: The nested names of all settings.
        is_set: Whether a setting is: then a name that looks like it is somebody else's.
    """
    flat = {nested: name for name, nested in FLAT.items()}
    right = {name.replace("__", "_"): name for name in known}
    return [
        f"{name}: is not read; the setting is {flat.get(right[name], right[name])}"
        for name, value in names.items()
        if name in right
        and name not in FLAT
        and not is_set(right[name])
        and not value.startswith("tcp://")  # of a service of that name, by Kubernetes
    ]


def _upper(names: Mapping[str, str]) -> dict[str, str]:
    return {name.upper(): value for name, value in names.items() if value != ""}


def _secret_files(directory: str | None, problems: list[str]) -> dict[str, str]:
    """One setting for each file; the dot files that Kubernetes mounts beside them are passed over."""
    if directory is None:
        return {}
    try:
        files = [p for p in Path(directory).iterdir() if p.is_file() and not p.name.startswith(".")]
        return _upper({p.name: p.read_text("utf-8").strip() for p in files})
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"SECRETS_DIR: can't be read: {_reason(error)}")
        return {}


def _toml_file(path: str | None, problems: list[str]) -> Tree:
    if path is None:
        return {}
    try:
        return tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"CONFIG_FILE: can't be read as TOML: {_reason(error)}")
        return {}


def _reason(error: Exception) -> str:
    """Why, without the text: a decoder's message tells a place, the system's a sentence."""
    if isinstance(error, OSError):
        return str(error.strerror)
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def _nested(names: Mapping[str, str], sections: frozenset[str]) -> Tree:
    """Turn `SINK__BATCH_ROWS` into `{"sink": {"batch_rows": …}}`; what is not ours is left out."""
    flat = {nested: names[name] for name, nested in FLAT.items() if name in names}
    tree: Tree = {}
    for name, value in sorted((flat | dict(names)).items()):  # a branch comes before its leaves
        steps = name.lower().split("__")
        if steps[0] not in sections or (len(steps) == 1 and name not in JSON_BRANCHES):
            continue
        branch = tree
        for step in steps[:-1]:
            if not isinstance(branch.get(step), dict):
                branch[step] = {}
            branch = branch[step]
        branch[steps[-1]] = _map(value) if name in JSON_BRANCHES else value
    return tree


def _map(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # the field's own check says what was expected
