"""The TLS certificate and its key, checked whole before a server is made with them."""

import os
import ssl
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from config.errors import SettingsError
from config.sections import HttpSettings


class Certificate(NamedTuple):
    """Files that belong together; Granian reads them once it serves."""

    cert: str
    key: str
    key_fd: int | None
    """Memory that holds the key without its password, which no disk sees."""

    def close(self) -> None:
        """Forget the key; the server has read it."""
        if self.key_fd is not None:
            os.close(self.key_fd)


def checked_certificate(http: HttpSettings) -> Certificate | None:
    """The certificate that the settings name, as its files are now; None where plain HTTP is served.

    Raises:
        SettingsError: The files can't be read, don't belong together, or the password is wrong.
    """
    if http.tls_cert is None or http.tls_key is None:
        return None
    certificate = Certificate(str(http.tls_cert.absolute()), str(http.tls_key.absolute()), None)
    try:
        if http.tls_key_password is not None:
            key_fd = _opened(http.tls_key, http.tls_key_password.get_secret_value().encode())
            certificate = certificate._replace(key=f"/proc/self/fd/{key_fd}", key_fd=key_fd)
        # without a password OpenSSL would ask the terminal for one
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate.cert, certificate.key, str)
    except (OSError, ValueError, UnsupportedAlgorithm) as error:  # ssl.SSLError is an OSError
        certificate.close()
        reason = error.reason if isinstance(error, ssl.SSLError) else None
        told = reason or (error.strerror if isinstance(error, OSError) else None) or "the key can't be opened"
        raise SettingsError(f"HTTP__TLS_CERT and HTTP__TLS_KEY: {told}") from None
    return certificate


def _opened(path: Path, password: bytes) -> int:
    """The key without its password, in memory that is a file: Granian 2.8 fails on keys that have one."""
    encrypted = path.read_bytes()
    try:
        key = load_pem_private_key(encrypted, password)
    except TypeError:  # it has none
        key = load_pem_private_key(encrypted, None)
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    key_fd = os.memfd_create("tls-key", os.MFD_CLOEXEC)
    os.write(key_fd, plain)
    return key_fd
