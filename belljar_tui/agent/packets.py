"""Read a captured packet: enough of IP, TCP and UDP to name its flow, and what a TCP segment carries."""

from __future__ import annotations

import socket
import struct

import msgspec

from belljar_tui.core.model import Endpoint, Protocol

_TCP, _UDP, _ICMP, _ICMP6 = 6, 17, 1, 58
_ECHO, _ECHO6 = 8, 128
_SYN = 2


class Flow(msgspec.Struct, frozen=True):
    """A call as seen on the wire: where it comes from in the jar, and where it goes."""

    source: str
    source_port: int
    """Of a ping, its identifier: the kernel's ping sockets have it for a port. 0 where there is none."""
    endpoint: Endpoint
    device: int = 0
    """Index of the interface it leaves by; 0 where it is not known."""


def parse(packet: memoryview, device: int = 0) -> Flow | None:
    """The flow of an IPv4 or IPv6 packet; None when it is neither, torn, or of a protocol we do not follow."""
    if len(packet) < 20:
        return None
    if packet[0] >> 4 == 4:
        return _flow(socket.AF_INET, packet[9], packet[12:16], packet[16:20], packet[(packet[0] & 15) * 4 :], device)
    if packet[0] >> 4 == 6 and len(packet) >= 40:
        return _flow(socket.AF_INET6, packet[6], packet[8:24], packet[24:40], packet[40:], device)
    return None


def _flow(
    family: int, number: int, source: memoryview, target: memoryview, rest: memoryview, device: int
) -> Flow | None:
    from_address, to_address = socket.inet_ntop(family, source), socket.inet_ntop(family, target)
    if number in (_ICMP, _ICMP6):
        is_echo = len(rest) >= 6 and rest[0] == (_ECHO if number == _ICMP else _ECHO6)
        identifier = int.from_bytes(rest[4:6], "big") if is_echo else 0
        return Flow(from_address, identifier, Endpoint(to_address, Protocol.ICMP, 0), device)
    if number not in (_TCP, _UDP) or len(rest) < 4:
        return None
    from_port, to_port = struct.unpack_from(">HH", rest)
    protocol = Protocol.TCP if number == _TCP else Protocol.UDP
    return Flow(from_address, from_port, Endpoint(to_address, protocol, to_port), device)


class Segment(msgspec.Struct, frozen=True):
    """One segment of a TCP flow."""

    flow: Flow
    sequence: int
    """Of its first byte; a SYN stands before that of the flow."""
    begins: bool
    """It is a SYN."""
    data: bytes
    is_whole: bool
    """False where less was captured than it carries."""


def segment(packet: memoryview) -> Segment | None:
    """The TCP segment in an IPv4 or IPv6 packet; None when there is none, or when its header is torn."""
    flow = parse(packet)
    if flow is None or flow.endpoint.protocol is not Protocol.TCP:
        return None
    is_v4 = packet[0] >> 4 == 4
    start = (packet[0] & 15) * 4 if is_v4 else 40
    length = int.from_bytes(packet[2:4], "big") if is_v4 else 40 + int.from_bytes(packet[4:6], "big")
    header = packet[start : start + 20]
    if len(header) < 20:
        return None
    begins = bool(header[13] & _SYN)
    sequence = (int.from_bytes(header[4:8], "big") + begins) % (1 << 32)
    data = bytes(packet[start + (header[12] >> 4) * 4 :])
    return Segment(flow, sequence, begins, data, length == len(packet))
