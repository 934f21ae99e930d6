"""A small web application on a real PostgreSQL and a real Redis: the service of the end-to-end test.

`/ready` needs the database; the cache it uses when it can. Written with ordinary client libraries and a WSGI server.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from wsgiref.simple_server import WSGIRequestHandler, make_server

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

HOST, PORT = os.environ.get("SHOP_DB_HOST", "localhost"), os.environ["SHOP_DB_PORT"]
"""A host that begins with a slash is the folder of the database's socket."""
DATABASE = f"host={HOST} port={PORT} dbname=postgres user=postgres connect_timeout=1"
CACHE = redis.Redis(
    host="localhost", port=int(os.environ["SHOP_CACHE_PORT"]), socket_timeout=1, retry=Retry(NoBackoff(), 0)
)


def count_orders() -> str:
    """Rows of the database; the cache is asked first, and may fail."""
    try:
        CACHE.incr("visits")
    except redis.RedisError as error:
        sys.stderr.write(f"no cache: {error}\n")
    with psycopg.connect(DATABASE) as connection:
        row = connection.execute("SELECT count(*) FROM pg_class").fetchone()
    return f"ready, {row[0] if row else 0} rows"


def application(environ: dict[str, str], start: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """WSGI."""
    try:
        status, words = "200 OK", count_orders()
    except psycopg.Error as error:
        status, words = "503 Service Unavailable", f"database: {str(error).strip().splitlines()[0]}"
    start(status, [("Content-Type", "text/plain")])
    return [words.encode() + b"\n"]


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the standard library has it
        return


if __name__ == "__main__":
    make_server("127.0.0.1", 8000, application, handler_class=Quiet).serve_forever()
