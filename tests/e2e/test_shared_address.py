"""Two names on one address and port: the search tells which of them is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from jarred import BELLJAR
from servers import HAVE_A_WAY_OUT

from belljar_tui.journal.profile_file import read_profile

pytestmark = [
    pytest.mark.kernel,
    HAVE_A_WAY_OUT,
    pytest.mark.skipif(os.geteuid() != 0, reason="a world with a name server on port 53 needs root"),
]

WORLD = """
import asyncio, subprocess, sys
from belljar_tui.labs.nameserver import serve

SHARED, NAMES = "10.88.1.1", "10.88.1.53"
HOSTS = {"db.lab": (SHARED, ""), "mail.lab": (SHARED, "")}

def ip(*commands):
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)

async def echo(reader, writer):
    writer.write(await reader.read(100))
    writer.close()

async def main():
    ip("link set lo up", f"addr add {SHARED}/32 dev lo", f"addr add {NAMES}/32 dev lo")
    ip("link add out type veth peer name far", "addr add 10.88.0.2/24 dev out", "link set far up", "link set out up")
    ip("route add default via 10.88.0.1 dev out")
    await serve(NAMES, {name: pair for name, pair in HOSTS.items()})
    await asyncio.start_server(echo, SHARED, 7000)
    command = await asyncio.create_subprocess_exec(*sys.argv[2:])
    sys.exit(await command.wait())

with open(sys.argv[1], "w") as file:
    file.write("nameserver 10.88.1.53\\n")
subprocess.run(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"], check=True)
asyncio.run(main())
"""
"""A machine of its own: a way out, a name server, and one server that has two names."""

SERVICE = """
import http.server, socket

def works(host):
    found = socket.getaddrinfo(host, 7000, socket.AF_INET, socket.SOCK_STREAM)
    try:
        with socket.create_connection(found[0][4], 1) as call:
            call.sendall(b"x")
            return call.recv(1) == b"x"
    except OSError:
        return False

class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        works("mail.lab")  # nice to have
        self.send_response(200 if works("db.lab") else 503)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", 8080), Ready).serve_forever()
"""


def in_world(folder: Path, *arguments: str) -> str:
    """What `belljar` says there on stdout."""
    resolver = folder / "resolv.conf"
    spaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    done = subprocess.run(
        [*spaces, sys.executable, "-c", WORLD, str(resolver), *BELLJAR, *arguments],
        env={**os.environ, "XDG_STATE_HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_search_tells_apart_which_of_two_names_on_one_address_is_needed(tmp_path: Path) -> None:
    profile = tmp_path / "shared.belljar.yaml"
    command = ["--", sys.executable, "-c", SERVICE]
    health = ["--health", "http://localhost:8080/ready", "--health-every", "0.1"]
    search = ["minimize", "--json", "-o", str(profile), *health, "--deadline", "2"]
    found = json.loads(in_world(tmp_path, *search, *command))
    assert set(found["minimal"]) == {"dns:", "tcp://db.lab:7000"}
    assert found["tolerated"] == ["tcp://mail.lab:7000"]
    evidence = read_profile(profile).evidence.dependencies
    endpoints = {each.id: each.endpoints for each in evidence}
    assert endpoints["tcp://db.lab:7000"] == endpoints["tcp://mail.lab:7000"] == ("tcp 10.88.1.1:7000",)
