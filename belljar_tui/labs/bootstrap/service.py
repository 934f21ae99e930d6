"""The portal: ready when each of the services it needs says that it is up."""

from __future__ import annotations

import contextlib
import http.server

from belljar_tui.labs.bootstrap.description import PORTS
from belljar_tui.labs.checkout.service import Pool, Unavailable, become

_TIMEOUT_S = 0.8


def troubles() -> list[str]:
    """Those that are not up, and why."""
    found = []
    for name, port in PORTS.items():
        try:
            said = Pool(f"{name}.lab", port, _TIMEOUT_S).ask("UP?")
        except Unavailable as error:
            found.append(str(error))
        else:
            if said != "UP":
                found.append(f"{name}.lab: {said.lower()}")
    return found


class Requests(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the name the standard library calls
        found = troubles()
        words = ("; ".join(found) or "ready").encode() + b"\n"
        with contextlib.suppress(OSError):  # the caller did not wait
            self.send_response(503 if found else 200)
            self.send_header("Content-Length", str(len(words)))
            self.end_headers()
            self.wfile.write(words)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the standard library has it
        return


def main() -> None:
    """Serve until killed."""
    become("portal")
    http.server.ThreadingHTTPServer(("", 8080), Requests).serve_forever()


if __name__ == "__main__":
    main()
