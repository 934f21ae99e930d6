"""nft rule expressions as packed netlink attributes. One function per expression, named as `nft` names it.

Numbers: linux/netfilter/nf_tables.h. Registers: 0 is the verdict, 8… are the 4-byte data registers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from belljar_tui.agent.netlink import attribute, be16, be32, be64, nested, text

VERDICT_REGISTER = 0
DATA = 8
NETWORK, TRANSPORT = 1, 2
EQUAL, NOT_EQUAL = 0, 1
DROP, ACCEPT = 0, 1
JUMP, GOTO, RETURN = -3, -4, -5
META_MARK, META_OIF, META_NFPROTO, META_L4PROTO = 3, 5, 15, 16
CT_STATE, CT_DIRECTION, CT_STATUS, CT_MARK, CT_BYTES = 0, 1, 2, 3, 15
CT_SOURCE4, CT_TARGET4, CT_SOURCE6, CT_TARGET6 = 19, 20, 21, 22
ORIGINAL, REPLY = 0, 1
PORT_UNREACHABLE, HOST_UNREACHABLE = 1, 2
LESS, GREATER = 2, 4
NEW_FLOW = 8
"""`ct state new` as it stands in the register (1 << IP_CT_NEW + 1), host byte order."""


LookUp = Callable[[str], bytes]
"""An expression that looks the registers from DATA on up in a set or map."""


def _expression(name: str, *parts: bytes) -> bytes:
    return nested(1, text(1, name), nested(2, *parts))


def payload(base: int, offset: int, length: int, register: int = DATA) -> bytes:
    """Load `length` bytes at `offset` of the network or transport header."""
    return _expression("payload", be32(1, register), be32(2, base), be32(3, offset), be32(4, length))


def meta(key: int, register: int = DATA) -> bytes:
    return _expression("meta", be32(1, register), be32(2, key))


def set_mark(mark: int) -> list[bytes]:
    """`meta mark set MARK`"""
    return [immediate(struct.pack("=I", mark)), _expression("meta", be32(2, META_MARK), be32(3, DATA))]


def ct(key: int, register: int = DATA) -> bytes:
    return _expression("ct", be32(1, register), be32(2, key))


def ct_of(key: int, direction: int, register: int = DATA) -> bytes:
    """A field of the flow's addresses as packets of one direction have them: `ct original ip daddr`"""
    return _expression("ct", be32(1, register), be32(2, key), attribute(3, bytes([direction])))


def set_ct_mark(mark: int) -> list[bytes]:
    """`ct mark set MARK`"""
    return [immediate(struct.pack("=I", mark)), _expression("ct", be32(2, CT_MARK), be32(4, DATA))]


def ct_bytes_above(limit: int) -> list[bytes]:
    """`ct bytes > LIMIT`, both directions together. The kernel starts counting bytes for flows made after the rule."""
    to_network = _expression("byteorder", be32(1, DATA), be32(2, DATA), be32(3, 1), be32(4, 8), be32(5, 8))
    return [ct(CT_BYTES), to_network, compare(struct.pack(">Q", limit), GREATER)]


def random_number(modulus: int) -> bytes:
    """`numgen random mod MODULUS`"""
    return _expression("numgen", be32(1, DATA), be32(2, modulus), be32(3, 1), be32(4, 0))


def hashed_ports(modulus: int) -> list[bytes]:
    """`jhash th sport . th dport mod MODULUS`, with a seed the kernel draws for each rule"""
    hashing = _expression("hash", be32(1, DATA), be32(2, DATA), be32(3, 4), be32(4, modulus), be32(6, 0), be32(7, 0))
    return [payload(TRANSPORT, 0, 4), hashing]


def below(limit: int) -> list[bytes]:
    """A number in the register is below `limit`. Numbers stand there in host order, and are compared as bytes."""
    to_network = _expression("byteorder", be32(1, DATA), be32(2, DATA), be32(3, 1), be32(4, 4), be32(5, 4))
    return [to_network, compare(struct.pack(">I", limit), LESS)]


def compare(value: bytes, operation: int = EQUAL, register: int = DATA) -> bytes:
    return _expression("cmp", be32(1, register), be32(2, operation), nested(3, attribute(1, value)))


def between(low: bytes, high: bytes, register: int = DATA) -> bytes:
    return _expression(
        "range", be32(1, register), be32(2, EQUAL), nested(3, attribute(1, low)), nested(4, attribute(1, high))
    )


def masked(mask: int, register: int = DATA) -> bytes:
    """AND a 4-byte host-order register with `mask`."""
    return _expression(
        "bitwise",
        be32(1, register),
        be32(2, register),
        be32(3, 4),
        nested(4, attribute(1, struct.pack("=I", mask))),
        nested(5, attribute(1, b"\0\0\0\0")),
    )


def immediate(value: bytes, register: int = DATA) -> bytes:
    return _expression("immediate", be32(1, register), nested(2, attribute(1, value)))


def verdict_data(kind: int, code: int, chain: str = "") -> bytes:
    """A verdict as data, for an immediate (kind 2) or a map element (kind 2)."""
    inner = be32(1, code) + (text(2, chain) if chain else b"")
    return nested(kind, nested(2, inner))


def verdict(code: int, chain: str = "") -> bytes:
    return _expression("immediate", be32(1, VERDICT_REGISTER), verdict_data(2, code, chain))


def vmap(name: str, register: int = DATA) -> bytes:
    return _expression("lookup", text(1, name), be32(2, register), be32(3, VERDICT_REGISTER))


def in_set(name: str, register: int = DATA) -> bytes:
    return _expression("lookup", text(1, name), be32(2, register))


def mapped(name: str, to_register: int, register: int = DATA) -> bytes:
    """What a map has for the key in `register`; where it has nothing, the rule does not match."""
    return _expression("lookup", text(1, name), be32(2, register), be32(3, to_register))


def counter_template(kind: int) -> bytes:
    """A counter as the expression every element of a set carries (attribute `kind`)."""
    return nested(kind, text(1, "counter"), nested(2))


def log(group: int, snap_length: int) -> bytes:
    return _expression("log", be16(1, group), be32(3, snap_length), be16(4, 1))


def limit(per_second: int, burst: int) -> bytes:
    """`limit rate PER_SECOND/second burst BURST packets`: what is above it goes on to the next rule."""
    return _expression("limit", be64(1, per_second), be64(2, 1), be32(3, burst))


def limit_template(kind: int, packets: int) -> bytes:
    """As `counter_template`: each element matches so many times, and then hardly ever (once an hour)."""
    return nested(kind, text(1, "limit"), nested(2, be64(1, 1), be64(2, 3600), be32(3, packets)))


def add_to(name: str, timeout_s: float, register: int = DATA) -> bytes:
    """`add @NAME { REGISTERS timeout TIMEOUT }`; no match where the set is full."""
    return _expression("dynset", text(1, name), be32(3, 0), be32(4, register), be64(6, round(timeout_s * 1000)))


def reject_tcp_reset() -> bytes:
    return _expression("reject", be32(1, 1), attribute(2, b"\0"))


def reject_icmpx(code: int) -> bytes:
    """`reject with icmpx CODE`, over IPv4 and IPv6 in their own words"""
    return _expression("reject", be32(1, 2), attribute(2, bytes([code])))


def redirect(port: int, register: int = DATA) -> list[bytes]:
    return [immediate(struct.pack(">H", port), register), _expression("redir", be32(1, register))]


def dnat(family: int, register: int) -> bytes:
    """`dnat to` the address in `register`"""
    return _expression("nat", be32(1, 1), be32(2, family), be32(3, register))


def no_track() -> bytes:
    """`notrack`"""
    return nested(1, text(1, "notrack"))


def queue_native(number: int, bypasses: bool) -> bytes:
    """`queue num N bypass`; without `bypass` what nobody reads is dropped"""
    return _expression("queue", be16(1, number), be16(2, 1), be16(3, int(bypasses)))


def queue_xtables(number: int, bypasses: bool) -> bytes:
    """The xtables NFQUEUE target, revision 3: for kernels without the native expression (measured: works in inet)."""
    info = struct.pack("HHH2x", number, 1, bypasses)
    return _expression("target", text(1, "NFQUEUE"), be32(2, 3), attribute(3, info))
