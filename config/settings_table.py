"""Settings as rows: for the README's table, and for `config check`, which shows what is in force."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import SecretStr
from redis.connection import parse_url

from config.addresses import SECRET_PARTS
from config.redaction import REDACTED, is_sensitive
from config.sections import Section
from config.settings import Settings
from config.settings_problems import setting_name
from config.webhook_schemes import SCHEMES, AnyScheme, NoScheme
from config.webhook_sources import Source

UNSET: Final = "not set"


@dataclass(frozen=True, kw_only=True)
class SettingRow:
    """One setting as people set it."""

    name: str
    default: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class InForce:
    """One setting's value, without what is secret about it."""

    name: str
    value: str
    is_default: bool
    meaning: str


_POINTERS: Final = (
    SettingRow(name="CONFIG_FILE", default=UNSET, meaning="TOML file: `[sink]`, `batch_rows = 1000`."),
    SettingRow(name="SECRETS_DIR", default=UNSET, meaning="Directory with a file for each secret setting."),
)
"""Names that are read but have no place of their own in the tree."""


def describe() -> list[SettingRow]:
    """Every setting with its default and its meaning, in the tree's order."""
    defaults = Settings.model_construct()
    rows = [
        SettingRow(name=name, default=_shown(name, value), meaning=meaning)
        for name, value, meaning in _leaves(defaults)
    ]
    return [*rows, *_POINTERS]


def markdown() -> str:
    """The README's table."""
    lines = [f"| `{row.name}` | {_code(row.default)} | {row.meaning} |" for row in describe()]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *lines])


def schemes_markdown() -> str:
    """The README's table of what each verification scheme takes, the same setting of several in one line."""
    takers: dict[tuple[str, str, str], list[str]] = {}
    for name, kind in SCHEMES.items():
        for field_name, field in kind.model_fields.items():
            if field_name != "scheme":
                default = UNSET if field.default in (None, "", []) else str(field.default)
                row = (field_name, _code(default), field.description or "")
                takers.setdefault(row, []).append(f"`{name}`")
    lines = [
        f"| `{setting}` | {', '.join(names)} | {default} | {meaning} |"
        for (setting, default, meaning), names in sorted(takers.items(), key=lambda row: -len(row[1]))
    ]
    return "\n".join(["| setting | of | default | meaning |", "|---|---|---|---|", *lines])


def in_force(settings: Settings) -> list[InForce]:
    """What these settings are, secrets left out."""
    defaults = {name: value for name, value, _ in _leaves(Settings.model_construct())}
    return [
        InForce(name=name, value=_shown(name, value), is_default=value == defaults[name], meaning=meaning)
        for name, value, meaning in _leaves(settings)
    ]


def _leaves(settings: Settings) -> Iterator[tuple[str, Any, str]]:
    for branch, info in type(settings).model_fields.items():
        section = getattr(settings, branch)
        if isinstance(section, Section):
            for leaf, field in type(section).model_fields.items():
                yield setting_name((branch, leaf)), getattr(section, leaf), field.description or ""
        else:
            yield setting_name((branch,)), section, info.description or ""


def _shown(name: str, value: Any) -> str:
    match value:
        case None:
            return UNSET
        case SecretStr():
            return _without_secret(name, value.get_secret_value())
        case Mapping():
            return ", ".join(f"{key}: {_entry(key, entry)}" for key, entry in value.items()) or UNSET
        case float():
            return f"{value:g}"
        case tuple():
            return ", ".join(map(str, value)) or UNSET
    return str(value).lower() if isinstance(value, bool) else str(value)


def _without_secret(name: str, secret: str) -> str:
    """Where a service is, without its password; nothing of what is a secret as a whole."""
    if name == "DATABASE_URL":
        parts = {k: v for k, v in conninfo_to_dict(secret).items() if k not in SECRET_PARTS}
        return make_conninfo("", **parts)
    return _redis(secret) if name == "REDIS_URL" else REDACTED


def _entry(key: str, entry: object) -> str:
    """A source in a few words, or one of librdkafka's options."""
    if isinstance(entry, Source):
        told = f"{entry.vendor} for {entry.tenant}, proven by {' and '.join(map(_scheme, entry.schemes))}"
        told = f"{told}, limit {entry.limit}" if entry.limit else told
        return f"{told}, without {' and '.join(entry.redact)}" if entry.redact else told
    return REDACTED if is_sensitive(key) else str(entry)


def _scheme(scheme: AnyScheme) -> str:
    """Which proof, where it stands, and how many keys there are."""
    if isinstance(scheme, NoScheme):
        return scheme.scheme
    place = f"{header}, " if (header := getattr(scheme, "header", None)) else ""
    return f"{scheme.scheme} ({place}keys: {len(scheme.secrets)})"


def _redis(url: str) -> str:
    parts: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]  # redis-py has no type here
    if path := parts.get("path"):
        return f"unix://{path}"
    scheme, _, _ = url.partition("://")
    return f"{scheme}://{parts.get('host', 'localhost')}:{parts.get('port', 6379)}/{parts.get('db', 0)}"


def _code(text: str) -> str:
    return "" if text == UNSET else f"`{text}`"
