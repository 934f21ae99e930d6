"""Holds every call to a unix socket for a moment: seccomp's user notification on connect(2) and sendto(2).

A filter sees numbers, not what pointers lead to, so it cannot know the address family. It knows the address's length,
though: calls with one as long as an IPv4 or IPv6 address (16 and 28 bytes) pass unheld, so that TCP and UDP are not
slowed (measured: 25 µs a call otherwise). sendmsg(2) hides its address wholly. What is not held is still cut, because
a cut is a mount; it is only not counted. The same filter refuses sockets whose traffic no ruleset sees. Layouts:
linux/seccomp.h, man 2 seccomp_unotify.
"""

from __future__ import annotations

import array
import asyncio
import ctypes
import errno
import fcntl
import os
import platform
import select
import socket
import struct
from collections.abc import Callable

import msgspec

_ALLOW, _NOTIFY, _FAIL = 0x7FFF0000, 0x7FC00000, 0x00050000
_LOAD, _JUMP_IF, _RETURN = 0x20, 0x15, 0x06
_SET_MODE_FILTER, _NEW_LISTENER, _WAIT_KILLABLE = 1, 1 << 3, 1 << 5
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_SET_FLAGS, _SYNC_WAKE_UP = 0x40082104, 1
_NOTIFICATION = struct.Struct("=QIIIIQ6Q")
_CONTINUE = 1
_MACHINES = {"x86_64": (0xC000003E, 317, 42, 44, 41), "aarch64": (0xC00000B7, 277, 203, 206, 198)}
"""Audit architecture; numbers of seccomp, connect, sendto and socket. All little-endian."""
_UNSEALED = (21, 27, 30, 31, 40, 42, 43)
"""RDS, InfiniBand, TIPC, Bluetooth, vsock (to the host of a virtual machine), QIPCRTR, SMC: past every ruleset."""
_CONNECT_LENGTH, _SENDTO_LENGTH = 2, 5
"""Which argument is the address's length."""
_IPV4, _IPV6, _NETLINK, _NONE = 16, 28, 12, 0
_ADDRESS_BYTES = 110
_libc = ctypes.CDLL(None, use_errno=True)


class UnixCall(msgspec.Struct, frozen=True):
    """A thread waits in connect or sendto with the address of a unix socket."""

    thread: int
    path: bytes
    """As the caller wrote it, not empty."""


Answer = Callable[[UnixCall], int]
"""Decides a held call: 0 lets it go on to the kernel, an errno fails it at once."""
Settled = Callable[[UnixCall], None]
"""Told once the answer has reached the caller: a call that was interrupted meanwhile comes again, and counts then."""


def is_known_machine() -> bool:
    """Whether we know this machine's system calls by number."""
    return platform.machine() in _MACHINES


def hold_own_calls(way: socket.socket) -> None:
    """From here on calls of this process and of whatever it starts are held, and told of to the other end of `way`.

    For a forked child with CAP_SYS_ADMIN in its user namespace, so that set-user-id programs go on to work (without
    the capability the kernel would ask for no_new_privs). Where the kernel refuses, the other end is told nothing.
    """
    descriptor = _listener() if is_known_machine() else -1
    if descriptor >= 0:
        way.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))])
        os.close(descriptor)
    way.close()


def received(way: socket.socket) -> int | None:
    """The descriptor on which calls of the process at the other end are told; None when they are not held."""
    _, descriptors, _, _ = socket.recv_fds(way, 1, 1)
    return descriptors[0] if descriptors else None


def _listener() -> int:
    """Set the filter; negative when the kernel refuses."""
    architecture, number, connect, sendto, make = _MACHINES[platform.machine()]
    code = _filter(architecture, connect, sendto, make)
    instructions = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(instructions)))
    for flags in (_NEW_LISTENER | _WAIT_KILLABLE, _NEW_LISTENER):  # the second is known since Linux 5.19 only
        descriptor: int = _libc.syscall(number, _SET_MODE_FILTER, flags, program)
        if descriptor >= 0:
            return descriptor
    return -1


def _filter(architecture: int, connect: int, sendto: int, make: int) -> bytes:
    """Hold connect and sendto with an address whose length is not one of those that must not be slowed; refuse to
    make a socket that cannot be sealed."""

    def load(at: int) -> bytes:
        return struct.pack("=HBBI", _LOAD, 0, 0, at)

    def skip_unless(value: int, skipped: int) -> bytes:
        return struct.pack("=HBBI", _JUMP_IF, 0, skipped, value)

    def give(action: int) -> bytes:
        return struct.pack("=HBBI", _RETURN, 0, 0, action)

    def hold(call: int, argument: int, quiet: tuple[int, ...]) -> bytes:
        checks = b"".join(skip_unless(length, 1) + give(_ALLOW) for length in quiet)
        body = load(_ARGUMENTS_AT + 8 * argument) + checks + give(_NOTIFY)
        return skip_unless(call, len(body) // 8) + body

    def refuse(call: int, families: tuple[int, ...]) -> bytes:
        checks = b"".join(skip_unless(family, 1) + give(_FAIL | errno.EAFNOSUPPORT) for family in families)
        body = load(_ARGUMENTS_AT) + checks + give(_ALLOW)
        return skip_unless(call, len(body) // 8) + body

    return (
        load(_ARCHITECTURE_AT)
        + struct.pack("=HBBI", _JUMP_IF, 1, 0, architecture)
        + give(_ALLOW)
        + load(_NUMBER_AT)
        + hold(connect, _CONNECT_LENGTH, (_IPV4, _IPV6))
        + hold(sendto, _SENDTO_LENGTH, (_NONE, _NETLINK, _IPV4, _IPV6))
        + refuse(make, _UNSEALED)
        + give(_ALLOW)
    )


class HeldCalls:
    """Answers held calls from the event loop, for as long as a process with the filter lives."""

    def __init__(self, descriptor: int, answer: Answer, settled: Settled) -> None:
        self._descriptor = descriptor
        self._answer = answer
        self._settled = settled
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        _, _, self._connect, _, _ = _MACHINES[platform.machine()]

    def start(self) -> None:
        """Begin to answer."""
        _libc.ioctl(self._descriptor, ctypes.c_ulong(_SET_FLAGS), ctypes.c_ulong(_SYNC_WAKE_UP))  # since Linux 6.6
        os.set_blocking(self._descriptor, False)
        asyncio.get_running_loop().add_reader(self._descriptor, self._take)

    def _take(self) -> None:
        state = sum(what for _, what in self._poll.poll(0))
        if not state & select.POLLIN:
            if state & select.POLLHUP:  # nobody with the filter lives any more
                asyncio.get_running_loop().remove_reader(self._descriptor)
                os.close(self._descriptor)
            return
        told = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(self._descriptor, _RECEIVE, told)
        except FileNotFoundError:  # it was interrupted, or its caller was killed
            return
        identity, thread, _, number, _, _, *arguments = _NOTIFICATION.unpack(told)
        at, length = (1, 2) if number == self._connect else (4, 5)
        path = _path_in(_read(thread, arguments[at], min(arguments[length], _ADDRESS_BYTES)))
        call = UnixCall(thread, path) if path else None
        failure = 0
        try:
            failure = self._answer(call) if call else 0
        finally:
            reply = struct.pack("=QqiI", identity, 0, -failure, 0 if failure else _CONTINUE)
            was_answered = _send(self._descriptor, reply)
        if call and was_answered:
            self._settled(call)


def _send(descriptor: int, reply: bytes) -> bool:
    """Whether the caller still waited."""
    try:
        fcntl.ioctl(descriptor, _SEND, reply)
    except OSError:
        return False
    return True


def _read(thread: int, address: int, size: int) -> bytes:
    """Memory of a caller; empty when it is gone."""
    try:
        memory = os.open(f"/proc/{thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.pread(memory, size, address)
    except (OSError, OverflowError):
        return b""
    finally:
        os.close(memory)


def _path_in(address: bytes) -> bytes:
    """The path of a unix address; empty for another family, an abstract name or none."""
    if address[:2] != struct.pack("=H", socket.AF_UNIX):
        return b""
    return address[2:].partition(b"\0")[0]
