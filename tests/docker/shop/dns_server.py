"""A name server of one answer: whatever is asked, its address is 10.99.0.7."""

from __future__ import annotations

import socket
import struct

ADDRESS = socket.inet_aton("10.99.0.7")


def serve() -> None:
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("", 53))
    while True:
        query, peer = listening.recvfrom(4096)
        end = query.index(b"\0", 12) + 5
        kind = struct.unpack(">H", query[end - 4 : end - 2])[0]
        answers = int(kind == 1)
        answer = query[:2] + struct.pack(">HHHHH", 0x8180, 1, answers, 0, 0) + query[12:end]
        if answers:
            answer += struct.pack(">HHHLH", 0xC00C, 1, 1, 5, 4) + ADDRESS
        listening.sendto(answer, peer)
