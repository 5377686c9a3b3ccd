import os
from pathlib import Path

import pytest

OURS = ("__", "DB_", "API_", "ASLEEP_", "LOG_", "ENABLE_")
FLAT = {"ENVIRONMENT", "DATABASE_URL", "REDIS_URL", "MAX_CONNECTIONS", "REQUEST_TIMEOUT"}
POINTERS = {"CONFIG_FILE", "SECRETS_DIR", "SOURCES"}


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment and a working directory that say nothing about settings; the directory."""
    for name in os.environ:
        if name in FLAT | POINTERS or any(part in name for part in OURS):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path
