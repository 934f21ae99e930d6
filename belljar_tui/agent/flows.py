"""Packets from a kernel log group: new open flows. Layout: linux/netfilter/nfnetlink_log.h."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Callable

from belljar_tui.agent.netlink import (
    ACK,
    NLMSG_ERROR,
    Message,
    NetlinkError,
    attribute,
    by_kind,
    error_of,
    messages,
    open_socket,
    pack,
)
from belljar_tui.agent.packets import Flow, parse

_SUBSYSTEM = 4
_PACKET, _CONFIG = 0, 1
_COPIED = 64
_AT_ONCE = 64
_DEVICE = 5
"""NFULA_IFINDEX_OUTDEV."""


class PacketLog:
    """Reads one log group. Raises NetlinkError from `start` when this kernel has none."""

    def __init__(
        self, group: int, copied: int, on_packet: Callable[[memoryview, int], None], on_lost: Callable[[int], None]
    ) -> None:
        """`on_packet` is given the first `copied` bytes of a packet, and the index of the interface it leaves by."""
        self._group = group
        self._copied = copied
        self._on_packet = on_packet
        self._on_lost = on_lost
        self._socket = open_socket(8 << 20)

    def start(self) -> None:
        """Bind the group; from now on packets come to `on_packet`, in the running event loop."""
        self._configure(attribute(1, b"\1"))
        self._configure(attribute(2, struct.pack(">IBx", self._copied, 2)))
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    def close(self) -> None:
        if not self._socket.getblocking():
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    def _configure(self, body: bytes) -> None:
        message = Message(_SUBSYSTEM << 8 | _CONFIG, body, ACK, socket.AF_UNSPEC, self._group)
        self._socket.send(pack(message, 1))
        for kind, _, payload in messages(self._socket.recv(1 << 16)):
            if kind == NLMSG_ERROR and error_of(payload):
                raise NetlinkError(error_of(payload))

    def _read(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self._on_lost(1)  # the kernel says only *that* it dropped some, not how many
                continue
            for kind, _sequence, payload in messages(data):
                fields = by_kind(payload[4:]) if kind == _SUBSYSTEM << 8 | _PACKET else {}
                packet = fields.get(9)
                if packet is not None:
                    self._on_packet(packet, int.from_bytes(fields.get(_DEVICE, b""), "big"))


class FlowLog(PacketLog):
    """The same, of packets that begin a flow."""

    def __init__(self, group: int, on_flow: Callable[[Flow], None], on_lost: Callable[[int], None]) -> None:
        super().__init__(group, _COPIED, self._parse, on_lost)
        self._on_flow = on_flow

    def _parse(self, packet: memoryview, device: int) -> None:
        flow = parse(packet, device)
        if flow is not None:
            self._on_flow(flow)
