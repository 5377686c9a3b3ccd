"""The settings tree: read once at start, checked whole, every problem told at once.

Origins, the first wins: environment, `.env`, files in `SECRETS_DIR`, the TOML file `CONFIG_FILE`. Only a
process' entry calls `load`; everything else is handed the branch that it needs.
"""

from collections.abc import Collection, Iterator, Sequence
from contextvars import ContextVar
from typing import Final, Literal

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from config import origins
from config.addresses import PARTS
from config.errors import SettingsError
from config.registry_section import SchemaRegistrySettings
from config.sections import (
    AppSettings,
    BackfillSettings,
    BreakerSettings,
    DbSettings,
    HttpSettings,
    KafkaSettings,
    MetricsSettings,
    RedisSettings,
    RelaySettings,
    SinkSettings,
)
from config.settings_problems import problem_line
from config.webhook_sources import Source, Sources, unsafe_in_production, vendors_known

Place = tuple[int | str, ...]
"""Where a setting stands in the tree."""
Role = Literal["relay", "sink", "migrate", "backfill"]
NEED_DATABASE: Final = frozenset({"sink", "migrate"})
"""Roles that can do nothing without Postgres."""
NEED_SOURCES: Final = frozenset({"relay", "backfill"})
"""Roles that take events, which all belong to a source."""


_left_out: Final[ContextVar[Collection[Place]]] = ContextVar("left_out", default=())


class Settings(BaseSettings):
    """Everything that can be set; the branches are described in `config/sections.py`."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True
    )

    app: AppSettings = AppSettings()
    http: HttpSettings = HttpSettings()
    kafka: KafkaSettings = KafkaSettings()
    db: DbSettings = DbSettings()
    redis: RedisSettings = RedisSettings()
    schema_registry: SchemaRegistrySettings = SchemaRegistrySettings()
    relay: RelaySettings = RelaySettings()
    sources: Sources = Field(
        default={}, description="JSON map of sources by name, or `[sources.NAME]` in `CONFIG_FILE`."
    )
    sink: SinkSettings = SinkSettings()
    breaker: BreakerSettings = BreakerSettings()
    backfill: BackfillSettings = BackfillSettings()
    metrics: MetricsSettings = MetricsSettings()

    @field_validator("sources")
    @classmethod
    def _safe(cls, sources: dict[str, Source], info: ValidationInfo) -> dict[str, Source]:
        app = info.data.get("app")  # absent if it was refused itself
        problems = unsafe_in_production(sources) if app and app.environment == "production" else []
        if problems:
            raise ValueError("; ".join(problems))
        return sources

    @field_validator("backfill")
    @classmethod
    def _encrypted(cls, backfill: BackfillSettings, info: ValidationInfo) -> BackfillSettings:
        app = info.data.get("app")
        if app and app.environment == "production" and not backfill.asleep_base_url.startswith("https://"):
            raise ValueError("ASLEEP_BASE_URL must begin with https:// in production: a key goes there")
        return backfill

    @field_validator("schema_registry")
    @classmethod
    def _private(cls, registry: SchemaRegistrySettings, info: ValidationInfo) -> SchemaRegistrySettings:
        app = info.data.get("app")
        plain = registry.url is not None and not registry.url.startswith("https://")
        if app and app.environment == "production" and plain and registry.password is not None:
            raise ValueError(
                "SCHEMA_REGISTRY_URL must begin with https:// in production: a password goes there"
            )
        return registry

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take our own origins, which know the flat names; pydantic-settings merges them."""
        trees = _without(origins.read(frozenset(cls.model_fields)).trees, _left_out.get())
        return (init_settings, *(InitSettingsSource(settings_cls, init_kwargs=tree) for tree in trees))


def load(role: Role | None = None, *, vendors: Collection[str] | None = None) -> Settings:
    """Read and check all settings.

    Args:
        role: What the process is, to check what that role can't do without.
        vendors: What a source's vendor may be; anything where the process reads no payloads.

    Raises:
        SettingsError: With a line for each problem, never with a value.
    """
    found = origins.read(frozenset(Settings.model_fields))
    problems = found.problems + origins.misspelt(
        found.names, _nested_names(), lambda name: _is_set(found.trees, name)
    )
    settings: Settings | None = None
    try:
        with vendors_known(vendors):
            settings = Settings()
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems += [problem_line(detail, Settings) for detail in [*details, *_of_several(details, vendors)]]
    if not _tells(found.trees, "db", "url", *PARTS):
        if role in NEED_DATABASE:
            problems.append("DATABASE_URL: not set, and this role can't work without it")
        elif _tells(found.trees, "app", "environment") == "production":
            problems.append("DATABASE_URL: not set, which production refuses for every role")
    if role in NEED_SOURCES and not any(tree.get("sources") for tree in found.trees):
        problems.append("SOURCES: no source is configured: set SOURCES, or ASLEEP_API_KEY")
    if settings is None or problems:
        lines = "\n".join(f"  {line}" for line in sorted(problems))
        raise SettingsError(f"settings can't be used:\n{lines}")
    return settings


def _nested_names() -> Iterator[str]:
    """Every setting's name from the tree's root, such as SINK__BATCH_ROWS."""
    for branch, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from (f"{branch}__{leaf}".upper() for leaf in field.annotation.model_fields)


def _of_several(found: Sequence[ErrorDetails], vendors: Collection[str] | None) -> list[ErrorDetails]:
    """What is wrong with several settings together: a branch is judged as a whole once each one is right.

    So all is read again without those that are wrong.
    """
    token = _left_out.set({detail["loc"][:2] for detail in found})
    try:
        with vendors_known(vendors):
            Settings()
    except ValidationError as error:
        known = [(detail["loc"], detail["msg"]) for detail in found]
        return [
            detail
            for detail in error.errors(include_url=False)
            if detail["type"] == "value_error" and (detail["loc"], detail["msg"]) not in known
        ]
    finally:
        _left_out.reset(token)
    return []


def _without(trees: Sequence[origins.Tree], places: Collection[Place]) -> list[origins.Tree]:
    left = []
    for tree in trees:
        branches = {name: branch for name, branch in tree.items() if (name,) not in places}
        for name, branch in branches.items():
            if isinstance(branch, dict):
                branches[name] = {key: told for key, told in branch.items() if (name, key) not in places}
        left.append(branches)
    return left


def _is_set(trees: Sequence[origins.Tree], name: str) -> bool:
    branch, _, leaf = name.lower().partition("__")
    instead = PARTS if name == "DB__URL" else ()
    return _tells(trees, branch, leaf, *instead) is not None


def _tells(trees: Sequence[origins.Tree], branch: str, *names: str) -> object:
    """What the first origin that has one of these names says there; that it is right is checked elsewhere."""
    given = (tree[branch] for tree in trees if isinstance(tree.get(branch), dict))
    return next((told[name] for told in given for name in names if name in told), None)
