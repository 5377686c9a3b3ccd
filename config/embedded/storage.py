"""A new broker's storage: formatted by Kafka's own tool once, then alike without it, a start of Java less.

What the tool writes is a file of feature levels that only the release decides, kept beside its jars, and
`meta.properties`, which names cluster, node and directory. Source: KIP-631, KIP-858 (directory ids).
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

CHECKPOINT: Final = "bootstrap.checkpoint"
_META: Final = "meta.properties"


def is_formatted(data: Path) -> bool:
    """Whether a broker has storage already."""
    return (data / _META).exists()


def format_alike(data: Path, jars: Path, *, cluster_id: str, node: int, directory_id: str) -> bool:
    """Format a broker's storage as the tool did for these jars; False where it never did.

    Args:
        data: The broker's, made here.
        jars: Kafka's.
        cluster_id: The cluster's.
        node: The broker's number.
        directory_id: A new one, spelled as a cluster's id.
    """
    kept = _kept(jars)
    if not (checkpoint := kept.read_bytes() if kept.exists() else b""):
        return False
    data.mkdir(exist_ok=True)
    _put(data / CHECKPOINT, checkpoint)
    meta = {"cluster.id": cluster_id, "directory.id": directory_id, "node.id": node, "version": 1}
    lines = "".join(f"{name}={value}\n" for name, value in meta.items())
    _put(data / _META, lines.encode())  # last, and whole: where it is, all is
    return True


def keep(data: Path, jars: Path) -> None:
    """Keep what the tool has written into this storage, for brokers to come."""
    kept = _kept(jars)
    if not kept.exists() or not kept.stat().st_size:
        with suppress(OSError):  # a cache that is not ours to write into is no reason not to start
            _put(kept, (data / CHECKPOINT).read_bytes())


def _kept(jars: Path) -> Path:
    return jars.with_name(f"{jars.name}-{CHECKPOINT}")


def _put(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(name).chmod(0o644)
    Path(name).rename(path)
