"""Certificates of the tests' own, for 127.0.0.1, made by the `openssl` command."""

import subprocess
from pathlib import Path

PASSWORD = "a-password-of-the-tests"


def issue(directory: Path, name: str, cipher: str | None = None) -> tuple[Path, Path]:
    """Make a certificate that vouches for itself; its file and its key's, encrypted by that cipher."""
    cert, key = directory / "cert.pem", directory / "key.pem"
    request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subject = ["-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    _openssl(*request, *subject, "-keyout", str(key), "-out", str(cert))
    if cipher is not None:
        plain = key.rename(directory / "plain.pem")
        encryption = ["-topk8", "-v2", cipher, "-passout", f"pass:{PASSWORD}"]
        _openssl("pkcs8", *encryption, "-in", str(plain), "-out", str(key))
        plain.unlink()
    return cert, key


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
