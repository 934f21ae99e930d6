"""One of the bootstrap lab's services, in the jar: the portal, or the one that is named.

The portal is ready while each of the services it needs says that it is up. The others start once: as soon as those
they need have said so they are up, and stay up. On their way they tell others, which nobody waits for.
"""

from __future__ import annotations

import http.server
import sys
from collections.abc import Callable, Sequence

from belljar_tui.labs.bootstrap.description import NEEDS, PORTS, TELLS
from belljar_tui.labs.checkout.service import Pool, Unavailable, become, every

_TIMEOUT_S = 0.8


class Neighbours:
    """The services that one of them calls."""

    def __init__(self, name: str) -> None:
        self._needed = NEEDS[name]
        self._told = TELLS.get(name, ())
        self._pools = {each: Pool(f"{each}.lab", PORTS[each], _TIMEOUT_S) for each in (*self._needed, *self._told)}

    def troubles(self) -> list[str]:
        """Those needed that are not up, and why."""
        found = []
        for name in self._needed:
            try:
                said = self._pools[name].ask("UP?")
            except Unavailable as error:
                found.append(str(error))
            else:
                if said != "UP":
                    found.append(f"{name}.lab: {said.lower()}")
        return found

    def tell(self) -> None:
        """Raises Unavailable; whoever tells does without."""
        for name in self._told:
            self._pools[name].ask("HELLO")


def once(troubles: Callable[[], Sequence[str]]) -> Callable[[], Sequence[str]]:
    """The same, until there are none for the first time."""
    is_up = False

    def left() -> Sequence[str]:
        nonlocal is_up
        found = () if is_up else troubles()
        is_up = not found
        return found

    return left


def serve(troubles: Callable[[], Sequence[str]]) -> None:
    """Ready while there are none. Until killed."""

    class Requests(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name the standard library calls
            found = troubles()
            words = ("; ".join(found) or "ready").encode() + b"\n"
            try:
                self.send_response(503 if found else 200)
                self.send_header("Content-Length", str(len(words)))
                self.end_headers()
                self.wfile.write(words)
            except OSError:
                return  # the caller did not wait

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the standard library has it
            return

    http.server.ThreadingHTTPServer(("", 8080), Requests).serve_forever()


def main(arguments: Sequence[str]) -> None:
    """Serve until killed."""
    name = arguments[0] if arguments else "portal"
    become(name)
    neighbours = Neighbours(name)
    every(1.0, neighbours.tell)
    serve(neighbours.troubles if name == "portal" else once(neighbours.troubles))


if __name__ == "__main__":
    main(sys.argv[1:])
