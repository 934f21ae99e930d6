"""Real servers from the distribution, on this machine's loopback, ended with the test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

PATHS = [os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
INITDB = shutil.which("initdb", path=os.pathsep.join(PATHS))
HAVE_DATABASES = pytest.mark.skipif(
    not (INITDB and shutil.which("redis-server")), reason="needs postgresql and redis-server"
)
HAVE_A_WAY_OUT = pytest.mark.skipif(
    not (shutil.which("pasta") and os.access("/dev/net/tun", os.W_OK)),
    reason="needs pasta (the passt package) and /dev/net/tun open to this user",
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_open(port: int) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < end, f"nothing listens on {port}"
            time.sleep(0.05)
            continue
        return


@contextmanager
def running(command: list[str], port: int, user: str | None) -> Iterator[None]:
    """A server of this test's own, ended with it."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, group=user)
    try:
        wait_until_open(port)
        yield
    finally:
        process.terminate()
        process.wait(20)


def initialize(data: Path, user: str | None) -> None:
    """Make a PostgreSQL's files in `data`/db."""
    initdb = [str(INITDB), "-D", str(data / "db"), "-U", "postgres", "--auth=trust", "--no-sync"]
    subprocess.run(initdb, check=True, user=user, group=user, stdout=subprocess.DEVNULL, cwd=data)


@contextmanager
def database_by_socket() -> Iterator[Path]:
    """The socket of a PostgreSQL that listens on no port."""
    user = "postgres" if os.geteuid() == 0 else None
    data = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    if user is not None:
        shutil.chown(data, user)
    data.chmod(0o755)
    address = data / ".s.PGSQL.5432"
    command = [str(Path(str(INITDB)).parent / "postgres"), "-D", str(data / "db"), "-k", str(data)]
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, data, ignore_errors=True)
        initialize(data, user)
        settings = ["-c", "fsync=off", "-c", "listen_addresses="]
        postgres = subprocess.Popen(
            [*command, *settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, group=user
        )
        stack.callback(postgres.wait, 20)
        stack.callback(postgres.terminate)
        wait_until_there(address)
        yield address


def wait_until_there(address: Path) -> None:
    """Until somebody listens on a unix socket."""
    end = time.monotonic() + 30
    while True:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(address)) == 0:
                return
        assert time.monotonic() < end, f"nothing listens on {address}"
        time.sleep(0.05)


@contextmanager
def databases() -> Iterator[tuple[int, int]]:
    """Ports of a PostgreSQL and a Redis on this machine's loopback."""
    assert INITDB is not None
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to be root
    data = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    if user is not None:
        shutil.chown(data, user)
    database, cache = free_port(), free_port()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, data, ignore_errors=True)
        initialize(data, user)
        postgres = [str(Path(INITDB).parent / "postgres"), "-D", str(data / "db"), "-p", str(database)]
        stack.enter_context(running([*postgres, "-k", str(data), "-c", "fsync=off"], database, user))
        redis = ["redis-server", "--port", str(cache), "--save", "", "--dir", str(data)]
        stack.enter_context(running(redis, cache, user))
        yield database, cache
