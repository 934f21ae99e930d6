"""Calls that a service might make to get past its jar's seal: each returns what it got, or raises OSError.

`escapes` has them in its table, with what stops each.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import signal
import socket
import struct
import time

from narrow import SOCKET, SOCKETCALL, address_of, narrow_call, socketcall

HOST4, HOST6, PORT = "10.77.1.11", "fd77:1::11", 9000
"""auth.lab."""
NAMES, TIME = "10.77.1.53", ("10.77.1.17", 123)
WAIT_S = 1.0
NEWUSER, NEWNS, NEWNET = 0x10000000, 0x00020000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def _talk(protocol: int, address: tuple[str, int], words: bytes) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, protocol) as out:
        out.settimeout(WAIT_S)
        out.connect(address)
        out.send(words)
        return repr(out.recv(64))


def _connect(family: int = socket.AF_INET, protocol: int = 0, host: str = HOST4) -> str:
    with socket.socket(family, socket.SOCK_STREAM, protocol) as out:
        out.settimeout(WAIT_S)
        out.connect((host, PORT))
        return "connected"


def tcp4() -> str:
    return _connect()


def tcp6() -> str:
    return _connect(socket.AF_INET6, host=HOST6)


def mptcp() -> str:
    return _connect(protocol=262)


def fast_open() -> str:
    with socket.socket() as out:  # it waits: in vacuum for the refusal
        out.sendto(b"x\n", 0x20000000, (HOST4, PORT))  # MSG_FASTOPEN
        return "connected"


def udp() -> str:
    return _talk(0, TIME, bytes([0x1B]) + bytes(47))


def fragments() -> str:
    return _talk(0, TIME, bytes([0x1B]) + bytes(30_000))


def other_protocol() -> str:
    return _talk(136, TIME, bytes([0x1B]) + bytes(47))  # UDP-Lite


def _query() -> bytes:
    return struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + b"\4auth\3lab\0" + struct.pack(">2H", 1, 1)


def _resolve(kind: int, begin: bytes) -> str:
    with socket.socket(socket.AF_INET, kind) as out:
        out.settimeout(WAIT_S)
        out.connect((NAMES, 53))
        out.send(begin + _query())
        answer = out.recv(512)[len(begin) :]
    if answer[3] & 15 == 5:
        raise OSError(errno.ECONNREFUSED, "the answer is: refused")
    return repr(answer)


def other_name_server() -> str:
    return _resolve(socket.SOCK_DGRAM, b"")


def names_over_tcp() -> str:
    return _resolve(socket.SOCK_STREAM, struct.pack(">H", len(_query())))


def ping() -> str:
    return _talk(socket.IPPROTO_ICMP, (HOST4, 0), struct.pack(">BBHHH", 8, 0, 0, 1, 1))


def ping6() -> str:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6) as out:
        out.settimeout(WAIT_S)
        out.sendto(struct.pack(">BBHHH", 128, 0, 0, 1, 1), (HOST6, 0))
        return repr(out.recv(64))


def by_interface() -> str:
    with socket.socket() as out:
        out.settimeout(WAIT_S)
        out.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"world")
        out.connect((HOST4, PORT))
        return "connected"


def broadcast() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.settimeout(WAIT_S)
        out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        out.sendto(b"x", ("10.77.0.255", 123))
        return repr(out.recv(64))


def agents_mark() -> str:
    with socket.socket() as out:
        out.settimeout(WAIT_S)
        out.setsockopt(socket.SOL_SOCKET, 36, 0xBE11)  # SO_MARK: whatever mark, it may not be set
        out.connect((HOST4, PORT))
        return "marked"


def raw() -> str:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP).close()
    return "a raw socket"


def packet() -> str:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)).close()
    return "a packet socket"


def in_new_spaces(flags: int) -> None:
    checked(libc.unshare(flags), "unshare")


def new_network() -> str:
    in_new_spaces(NEWUSER | NEWNET)
    return tcp4()


def host_of_the_machine() -> str:
    with socket.socket(40, socket.SOCK_STREAM) as out:  # AF_VSOCK
        out.settimeout(WAIT_S)
        try:
            out.connect((2, 1))
        except ConnectionResetError:
            return "the host answered: nobody listens there"
        return "connected"


def ring_of_vsock() -> str:
    """io_uring's own way to make a socket: an entry in shared memory, which no filter of system calls sees."""
    described = ctypes.create_string_buffer(120)  # struct io_uring_params
    ring = checked(libc.syscall(425, 4, described), "io_uring_setup")
    (tail_at,) = struct.unpack_from("=I", described, 44)
    (array_at,) = struct.unpack_from("=I", described, 64)
    (entries_at,) = struct.unpack_from("=I", described, 100)
    with mmap.mmap(ring, 4096) as shared, mmap.mmap(ring, 4096, offset=0x10000000) as entries:
        entries[:64] = struct.pack("=BBHiQQI36x", 45, 0, 0, 40, socket.SOCK_STREAM, 0, 0)  # IORING_OP_SOCKET
        shared[array_at : array_at + 4] = bytes(4)
        shared[tail_at : tail_at + 4] = struct.pack("=I", 1)
        checked(libc.syscall(426, ring, 1, 1, 1, None, 0), "io_uring_enter")
        (result,) = struct.unpack_from("=i", shared, entries_at + 8)
    if result < 0:
        raise OSError(-result, os.strerror(-result), "IORING_OP_SOCKET")
    return f"a socket of family {socket.socket(fileno=result).family}"


def vsock_in_32_bits() -> str:
    return f"descriptor {narrow_call(SOCKET, 40, socket.SOCK_STREAM, 0)}"


def vsock_by_socketcall() -> str:
    return f"descriptor {socketcall(1, 40, socket.SOCK_STREAM, 0)}"


def socketcall_that_changes() -> str:
    """Another process changes what is asked for while it is looked at."""
    shared = mmap.mmap(-1, 4096, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | 0x40)
    shared[:12] = struct.pack("=3I", socket.AF_UNIX, socket.SOCK_STREAM, 0)
    changer = os.fork()
    while changer == 0:
        shared[0] = 40
        shared[0] = socket.AF_UNIX
    try:
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            with (
                contextlib.suppress(OSError),
                socket.socket(fileno=narrow_call(SOCKETCALL, 1, address_of(shared))) as made,
            ):
                if made.getsockopt(socket.SOL_SOCKET, 39) == 40:  # SO_DOMAIN
                    return "a vsock"
    finally:
        os.kill(changer, signal.SIGKILL)
    raise OSError(errno.EAFNOSUPPORT, "not once")


def x32() -> str:
    return f"descriptor {checked(libc.syscall(0x40000000 + 41, 40, socket.SOCK_STREAM, 0), 'socket')}"


def abstract_socket() -> str:
    with socket.socket(socket.AF_UNIX) as out:
        out.connect("\0belljar-escape-witness")
        return "connected"
