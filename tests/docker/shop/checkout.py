"""The service under test: /ready needs the database and the prices; it asks the cache and the auditor when it can.

`checkout.py is-ready` is the image's HEALTHCHECK.
"""

from __future__ import annotations

import os
import socket
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2
import redis

PORT = 8080
WAIT_S = 1


def ready() -> str:
    """Raises OSError, psycopg2.Error or URLError when something needed is missing."""
    for tolerated in (lambda: redis.Redis("cache", 6379, socket_timeout=WAIT_S).incr("visits"), report):
        try:
            tolerated()
        except (OSError, redis.RedisError) as error:
            print(f"tolerated: {error}", flush=True)
    prices = urllib.request.urlopen("http://front/", timeout=WAIT_S).read()
    database = psycopg2.connect(host="db", user="postgres", dbname="postgres", connect_timeout=WAIT_S)
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class")
        rows = cursor.fetchone()[0]
    database.close()
    return f"ready, {rows} rows, {len(prices)} bytes of prices"


def report() -> None:
    with socket.create_connection(("audit", 9000), WAIT_S) as auditor:
        auditor.sendall(b"visited\n")


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        try:
            code, words = 200, ready() if self.path == "/ready" else os.environ.get("SHOP_NAME", "")
        except (OSError, psycopg2.Error, urllib.error.URLError) as error:
            code, words = 503, str(error).strip().splitlines()[0]
        self.send_response(code)
        self.end_headers()
        self.wfile.write(words.encode() + b"\n")

    def log_message(self, *_: object) -> None:
        return


def is_ready() -> None:
    try:
        print(urllib.request.urlopen(f"http://127.0.0.1:{PORT}/ready", timeout=2 * WAIT_S).read().decode().strip())
    except urllib.error.HTTPError as error:
        sys.exit(error.read().decode().strip())
    except OSError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    if sys.argv[1:] == ["is-ready"]:
        is_ready()
    else:
        print("checkout starts", flush=True)
        ThreadingHTTPServer(("", PORT), Answering).serve_forever()
