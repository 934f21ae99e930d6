"""The minimal working set of real services: what they cannot do without is known beforehand."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from jarred import BELLJAR
from servers import HAVE_A_WAY_OUT, HAVE_DATABASES, free_port

pytestmark = [pytest.mark.server, HAVE_A_WAY_OUT]
SHOP = (sys.executable, str(Path(__file__).parent / "shop.py"))
DEADLINE_S = 240


def minimize(state_home: Path, *arguments: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Run it to its end; the object it prints."""
    done = subprocess.run(
        [*BELLJAR, "minimize", "--json", *arguments],
        env={**os.environ, "XDG_STATE_HOME": str(state_home), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextmanager
def upstream() -> Iterator[int]:
    """A web server that says yes; its port."""

    class Yes(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"yes\n")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the standard library has it
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Yes)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def nginx_config(folder: Path, port: int, upstreams: tuple[int, int]) -> Path:
    """A web server in front of two others, of which either will do."""
    path = folder / "nginx.conf"
    temporary = "\n".join(
        f"{what}_temp_path {folder}/{what};" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path.write_text(f"""
daemon off; master_process off; worker_processes 1; error_log stderr; pid {folder}/nginx.pid;
events {{ worker_connections 64; }}
http {{
  access_log off; {temporary}
  upstream behind {{ server 127.0.0.1:{upstreams[0]}; server 127.0.0.1:{upstreams[1]}; }}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://behind; }} }}
}}
""")
    return path


@HAVE_DATABASES
def test_a_shop_needs_its_database_and_not_its_cache(servers: tuple[int, int], tmp_path: Path) -> None:
    database, cache = servers
    profile = tmp_path / "shop.belljar.yaml"
    found = minimize(
        tmp_path,
        *("--name", "shop", "--deadline", "8", "-o", str(profile)),
        *("--forward", str(database), "--forward", str(cache), "--health", "http://localhost:8000/ready"),
        *("--env", "SHOP_DB_PORT", "--env", "SHOP_CACHE_PORT", "--", *SHOP),
        environment={"SHOP_DB_PORT": str(database), "SHOP_CACHE_PORT": str(cache)},
    )
    assert found["minimal"] == [f"tcp://localhost:{database}"]
    assert found["cut_sets"] == [[f"tcp://localhost:{database}"]]
    assert found["tolerated"] == [f"tcp://localhost:{cache}"]
    assert "SHOP_DB_PORT" in profile.read_text()


@pytest.mark.skipif(not shutil.which("nginx"), reason="needs nginx")
def test_a_proxy_needs_one_of_its_two_upstreams(tmp_path: Path) -> None:
    with upstream() as one, upstream() as other:
        port = free_port()
        config = nginx_config(tmp_path, port, (one, other))
        nginx = str(shutil.which("nginx"))
        found = minimize(
            tmp_path,
            *("--deadline", "5", "--forward", str(one), "--forward", str(other)),
            *("--health", f"http://localhost:{port}/", "--", nginx, "-p", str(tmp_path), "-c", str(config)),
        )
    both = sorted([f"tcp://localhost:{one}", f"tcp://localhost:{other}"])
    assert found["cut_sets"] == [both]
    assert len(found["minimal"]) == 1
    assert set(found["minimal"]) < set(both)
    assert found["modes"][both[0]] == {"refuse": "tolerated"}
