"""A service that calls as fast as it can for two seconds, over TCP and UDP at once, and counts what each call met.

Prints one line of JSON for each protocol: calls made, and how many of them met which error.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import time
from collections import Counter

SECONDS = 2.0
ADDRESSES = ("10.77.1.60", "10.77.1.61")
TCP_PORT, UDP_PORT = 9000, 9001
_UNANSWERED = 500


def tcp(poll: select.epoll) -> tuple[int, Counter[str]]:
    made, met, calls = 0, Counter[str](), dict[int, socket.socket]()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end or calls:
        if time.monotonic() < end and len(calls) < _UNANSWERED:
            call = socket.socket()
            call.setblocking(False)
            made += 1
            if (error := call.connect_ex((ADDRESSES[made % 2], TCP_PORT))) == errno.EINPROGRESS:
                poll.register(call.fileno(), select.EPOLLOUT)
                calls[call.fileno()] = call
            else:
                met[errno.errorcode[error]] += 1
                call.close()
        for number, _ in poll.poll(0 if len(calls) < _UNANSWERED else 0.05):
            call = calls.pop(number)
            met[errno.errorcode[call.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]] += 1
            call.close()
    return made, met


def udp() -> tuple[int, Counter[str]]:
    """What does not leave is not made: an error of an earlier datagram, or a full buffer."""
    made, met = 0, Counter[str]()
    calls = [socket.socket(type=socket.SOCK_DGRAM) for _ in ADDRESSES]
    for call, address in zip(calls, ADDRESSES, strict=True):
        call.connect((address, UDP_PORT))
        call.setblocking(False)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for call in calls:
            try:
                call.send(b"x")
                made += 1
            except OSError as error:
                met[errno.errorcode[error.errno or 0]] += 1
    return made, met


def main() -> None:
    time.sleep(0.5)
    for protocol in ("tcp", "udp"):
        if os.fork() == 0:
            made, met = tcp(select.epoll()) if protocol == "tcp" else udp()
            print(json.dumps({"protocol": protocol, "made": made, "met": met}), flush=True)
            os._exit(0)
    for _ in range(2):
        os.wait()
    print("done", flush=True)
    time.sleep(1000)


if __name__ == "__main__":
    main()
