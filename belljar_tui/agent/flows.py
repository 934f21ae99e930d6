"""Packets from a kernel log group: new open flows. Layout: linux/netfilter/nfnetlink_log.h."""

from __future__ import annotations

import struct
from collections.abc import Callable

from belljar_tui.agent.netlink import attribute, by_kind
from belljar_tui.agent.packet_reader import PacketReader
from belljar_tui.agent.packets import Flow, parse

_SUBSYSTEM, _CONFIG = 4, 1
_COPIED = 64
_DEVICE = 5
"""NFULA_IFINDEX_OUTDEV."""


class PacketLog(PacketReader):
    """Reads one log group. Raises NetlinkError from `start` when this kernel has none."""

    def __init__(
        self, group: int, copied: int, on_packet: Callable[[memoryview, int], None], on_lost: Callable[[int], None]
    ) -> None:
        """`on_packet` is given the first `copied` bytes of a packet, and the index of the interface it leaves by."""
        super().__init__(_SUBSYSTEM, _CONFIG, group, on_lost)
        self._copied = copied
        self._on_packet = on_packet

    def start(self) -> None:
        """Bind the group; from now on packets come to `on_packet`, in the running event loop."""
        self._configure(attribute(1, b"\1"))
        self._configure(attribute(2, struct.pack(">IBx", self._copied, 2)))
        self._listen()

    def _look(self, payload: memoryview) -> None:
        fields = by_kind(payload[4:])
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
