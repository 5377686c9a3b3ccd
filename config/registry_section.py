"""The settings of a real schema registry, where there is one."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from config.addresses import WebUrl
from config.sections import Name, Positive, Section


class SchemaRegistrySettings(Section):
    """A registry that speaks Confluent's API; without one the relay serves its own, read-only."""

    url: WebUrl | None = Field(
        default=None,
        description="Where a registry is that speaks Confluent's API; then its ids are written, not ours.",
    )
    username: Name | None = Field(default=None, description="User for basic authentication.")
    password: SecretStr | None = Field(default=None, description="Password of that user.")
    tls_ca: Path | None = Field(
        default=None, description="PEM file of the authorities to trust instead of the system's."
    )
    tls_cert: Path | None = Field(
        default=None, description="PEM file of a client certificate and its key, where it asks for one."
    )
    subject: Name | None = Field(
        default=None, description="Subject of the event's schema; without it `<KAFKA__EVENTS_TOPIC>-value`."
    )
    register_schema: bool = Field(
        default=False,
        description="Whether a relay registers a schema that the registry lacks and calls compatible.",
    )
    timeout_s: Positive = Field(default=2, description="Seconds for one answer.")
    attempts: Annotated[int, Field(ge=1, le=10)] = Field(
        default=3, description="Tries before it counts as away."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("SCHEMA_REGISTRY__USERNAME and SCHEMA_REGISTRY__PASSWORD must be set together")
        return self
