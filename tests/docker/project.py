"""A Compose-labelled project of five real servers: the dependencies of the service under test."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

import docker
from docker.models.containers import Container
from engine import LABEL
from images import WORLD

PROJECT = "shop"
NETWORK = "shop_backend"
READY_DEADLINE_S = 30.0
_DATA = "/var/lib/postgresql/shop"
_POSTGRES = f"exec su postgres -c \"$(echo /usr/lib/postgresql/*/bin/postgres) -D {_DATA} -c listen_addresses='*'\""
_TRUST = f"echo 'host all all all trust' >> {_DATA}/pg_hba.conf"
_ECHO = (
    "import socketserver as s; s.ThreadingTCPServer.allow_reuse_address = True; "
    "s.ThreadingTCPServer(('', {port}), type('Taker', (s.StreamRequestHandler,), "
    "{{'handle': lambda self: self.rfile.read()}})).serve_forever()"
)
SERVICES: dict[str, tuple[list[str], int]] = {
    "db": (["sh", "-c", f"{_TRUST}; {_POSTGRES}"], 5432),
    "cache": (["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""], 6379),
    "front": (["nginx", "-g", "daemon off;"], 80),
    "audit": (["python3", "-c", _ECHO.format(port=9000)], 9000),
    "mail": (["python3", "-c", _ECHO.format(port=25)], 25),
}
"""Command and port of each."""
_IS_UP = "import socket; socket.create_connection(('127.0.0.1', {port}), 1)"


@contextmanager
def project(client: docker.DockerClient) -> Iterator[dict[str, Container]]:
    """Start it; gone afterwards. Containers by service name."""
    network = client.networks.create(NETWORK, driver="bridge", labels={LABEL: "1"})
    made: dict[str, Container] = {}
    try:
        for name, (command, _) in SERVICES.items():
            made[name] = _start(client, name, command)
        for name, (_, port) in SERVICES.items():
            _wait_for(made[name], port)
        yield made
    finally:
        for container in made.values():
            container.remove(force=True, v=True)
        network.remove()


def _start(client: docker.DockerClient, name: str, command: list[str]) -> Container:
    labels = {LABEL: "1", "com.docker.compose.project": PROJECT, "com.docker.compose.service": name}
    host = client.api.create_host_config(init=True)
    endpoint = client.api.create_endpoint_config(aliases=[name])
    aliases = client.api.create_networking_config({NETWORK: endpoint})  # type: ignore[arg-type]  # the stub is wrong
    created = client.api.create_container(
        WORLD, command, name=f"{PROJECT}-{name}-1", labels=labels, host_config=host, networking_config=aliases
    )
    client.api.start(created["Id"])
    return client.containers.get(created["Id"])


def _wait_for(container: Container, port: int) -> None:
    end = time.monotonic() + READY_DEADLINE_S
    while time.monotonic() < end:
        with contextlib.suppress(docker.errors.APIError):
            code, _ = container.exec_run(["python3", "-c", _IS_UP.format(port=port)])
            if code == 0:
                return
        time.sleep(0.2)
    raise AssertionError(f"{container.name} does not listen on {port}: {container.logs()[-1500:]!r}")
