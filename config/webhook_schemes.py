"""The proofs that a source can ask for: one class of settings per verification scheme.

What a scheme has no use for is no field of its class, and so a problem where it is set.
"""

import base64
import binascii
import re
from typing import Annotated, ClassVar, Final, Literal, get_args

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from config.json_text import json_text
from config.sections import Section

_HEADER: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
"""A token of RFC 9110, section 5.6.2, in lower case."""
_IN_A_PATH: Final = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")
"""RFC 3986's unreserved characters, which nobody escapes; no dot in front: `..` is lost on the way."""
_TAKEN_PATHS: Final = frozenset({"batch"})
"""What stands in a token's place for something else."""
_WHSEC: Final = "whsec_"


def _header_name(name: str) -> str:
    if not _HEADER.fullmatch(name.lower()):
        raise ValueError("must be the name of an HTTP header")
    return name.lower()


HeaderName = Annotated[str, AfterValidator(_header_name)]
ToleranceS = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
_TOLERANCE: Final = "Seconds that the signed time may differ from the relay's clock, both ways."


class NoScheme(Section):
    """No proof at all: for trials."""

    scheme: Literal["none"]

    def keys(self) -> list[bytes]:
        """There is none."""
        return []


class _Keyed(Section):
    min_secret_bytes: ClassVar[int] = 16
    """The least that production takes for a key; RFC 2104 advises against short ones."""

    secrets: Annotated[list[SecretStr], json_text("must be JSON")] = Field(
        default=[], description="Keys that pass, several while one replaces another."
    )

    @field_validator("secrets")
    @classmethod
    def _usable(cls, secrets: list[SecretStr]) -> list[SecretStr]:
        if not secrets:
            raise ValueError("needs at least one secret")
        for secret in secrets:
            if not secret.get_secret_value().strip():
                raise ValueError("a secret must not be empty")
            cls.key_of(secret.get_secret_value())
        return secrets

    @classmethod
    def key_of(cls, secret: str) -> bytes:
        """The key that a secret stands for.

        Raises:
            ValueError: It stands for none; the text says what was expected and nothing of the secret.
        """
        return secret.encode()

    @classmethod
    def unguessable_of(cls, secret: str) -> bytes:
        """What of a secret differs from any other one."""
        return cls.key_of(secret)

    def keys(self) -> list[bytes]:
        """The key of each secret."""
        return [self.key_of(secret.get_secret_value()) for secret in self.secrets]

    def strengths(self) -> list[bytes]:
        """What of each secret has to be hard to guess."""
        return [self.unguessable_of(secret.get_secret_value()) for secret in self.secrets]


class ApiKeyScheme(_Keyed):
    """A shared key in a header, compared whole."""

    scheme: Literal["api_key"]
    header: HeaderName = Field(default="x-api-key", description="Header that carries the key.")


class HmacSha256Scheme(_Keyed):
    """HMAC-SHA-256 of the body, or of a time and the body, in a header."""

    scheme: Literal["hmac_sha256"]
    header: HeaderName = Field(default="x-signature", description="Header that carries the signature.")
    encoding: Literal["hex", "base64"] = Field(
        default="hex", description="How it is written: `hex`, of either case, or `base64`."
    )
    prefix: Annotated[str, Field(max_length=64, pattern=r"^[\x21-\x7e]*\z")] = Field(
        default="", description="What stands before it in the header, such as `sha256=`."
    )
    timestamp_header: HeaderName | None = Field(
        default=None, description="Header with the time that is signed before the body; none: the body alone."
    )
    timestamp_unit: Literal["s", "ms"] = Field(
        default="s", description="Unit of that time since 1970: `s` or `ms`."
    )
    separator: Annotated[str, Field(max_length=64, pattern=r"^[\x20-\x7e]*\z")] = Field(
        default="", description="What is signed between time and body, such as `.`."
    )
    tolerance_s: ToleranceS = Field(default=300, description=_TOLERANCE)

    @field_validator("timestamp_header")
    @classmethod
    def _another(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is not None and name == info.data.get("header"):
            raise ValueError("must differ from header")
        return name

    @field_validator("timestamp_unit", "separator", "tolerance_s")
    @classmethod
    def _of_a_time(cls, value: object, info: ValidationInfo) -> object:
        without = info.data.get("timestamp_header", "was refused itself") is None
        if without and value != cls.model_fields[str(info.field_name)].default:
            raise ValueError("is of no use without timestamp_header")
        return value


class StandardWebhooksScheme(_Keyed):
    """Standard Webhooks 1.0.0, symmetric signatures."""

    min_secret_bytes: ClassVar[int] = 24
    """The specification: at least 192 bits."""

    scheme: Literal["standard_webhooks"]
    tolerance_s: ToleranceS = Field(default=300, description=_TOLERANCE)

    @classmethod
    def key_of(cls, secret: str) -> bytes:
        """The bytes that the base64 after `whsec_` tells.

        A bare text could be meant as base64 or as it is, so it is refused rather than guessed at.
        """
        try:
            key = base64.b64decode(secret.removeprefix(_WHSEC), validate=True)
        except (binascii.Error, ValueError):  # ValueError: not ASCII
            key = b""
        if not secret.startswith(_WHSEC) or not key:
            raise ValueError("a secret must be whsec_ followed by base64")
        return key


class GitHubScheme(_Keyed):
    """GitHub's `x-hub-signature-256`."""

    scheme: Literal["github"]
    header: HeaderName = Field(
        default="x-hub-signature-256", description="Header that carries `sha256=` and the signature."
    )


class StripeScheme(_Keyed):
    """Stripe's `t=…,v1=…`."""

    scheme: Literal["stripe"]
    header: HeaderName = Field(
        default="stripe-signature", description="Header that carries time and signatures."
    )
    tolerance_s: ToleranceS = Field(default=300, description=_TOLERANCE)

    @classmethod
    def unguessable_of(cls, secret: str) -> bytes:
        """All but `whsec_`, which is part of the key here."""
        return secret.removeprefix(_WHSEC).encode()


class UrlTokenScheme(_Keyed):
    """A secret as the last part of the URL."""

    scheme: Literal["url_token"]

    @classmethod
    def key_of(cls, secret: str) -> bytes:
        """The token, which has to reach us as it was written."""
        if not _IN_A_PATH.fullmatch(secret) or secret in _TAKEN_PATHS:
            raise ValueError("a token must be of A-Z a-z 0-9 - . _ ~, not begin with a dot, not be `batch`")
        return secret.encode()


KeyedScheme = (
    ApiKeyScheme | HmacSha256Scheme | StandardWebhooksScheme | GitHubScheme | StripeScheme | UrlTokenScheme
)
AnyScheme = Annotated[KeyedScheme | NoScheme, Field(discriminator="scheme")]
"""One proof that a delivery must bring."""
SCHEMES: Final[dict[str, type[Section]]] = {
    get_args(kind.model_fields["scheme"].annotation)[0]: kind for kind in (*get_args(KeyedScheme), NoScheme)
}
"""Every class by the name that settings choose it by."""
