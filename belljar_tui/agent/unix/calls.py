"""Holds every call to a unix socket for a moment: seccomp's user notification on connect(2) and sendto(2).

Which calls are held, and which are refused, says `filter`. What is not held is still cut, because a cut is a mount; it
is only not counted. Sockets of 32-bit programs are made here (see there). Layouts: linux/seccomp.h, man 2
seccomp_unotify.
"""

from __future__ import annotations

import array
import asyncio
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
from collections.abc import Callable

import msgspec

from belljar_tui.agent.unix.filter import (
    CONNECT_LENGTH,
    SENDTO_LENGTH,
    SOCKETCALL_CONNECT,
    SOCKETCALL_SOCKET,
    Machine,
    machine,
    program,
)

_SET_MODE_FILTER, _NEW_LISTENER, _WAIT_KILLABLE = 1, 1 << 3, 1 << 5
_RECEIVE, _SEND, _GIVE_DESCRIPTOR = 0xC0502100, 0xC0182101, 0x40182103
_SET_FLAGS, _SYNC_WAKE_UP = 0x40082104, 1
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_CONTINUE = 1
_AND_ANSWER = 2
"""SECCOMP_ADDFD_FLAG_SEND: the caller's answer is the descriptor (since Linux 5.14)."""
_ORDINARY = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
_ORDINARY_KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)
_KIND, _FLAGS = 0xF, os.O_NONBLOCK | os.O_CLOEXEC
"""Of a socket's type: what it is, and how its descriptor is to be."""
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


def hold_own_calls(way: socket.socket) -> None:
    """From here on calls of this process and of whatever it starts are held, and told of to the other end of `way`.

    For a forked child with CAP_SYS_ADMIN in its user namespace, so that set-user-id programs go on to work (without
    the capability the kernel would ask for no_new_privs). Where the kernel refuses, the other end is told nothing.
    """
    known = machine()
    descriptor = _listener(known) if known is not None else -1
    if descriptor >= 0:
        way.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))])
        os.close(descriptor)
    way.close()


def received(way: socket.socket) -> int | None:
    """The descriptor on which calls of the process at the other end are told; None when they are not held."""
    _, descriptors, _, _ = socket.recv_fds(way, 1, 1)
    return descriptors[0] if descriptors else None


def _listener(known: Machine) -> int:
    """Set the filter; negative when the kernel refuses."""
    code = program(known)
    instructions = ctypes.create_string_buffer(code)
    described = ctypes.create_string_buffer(struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(instructions)))
    for flags in (_NEW_LISTENER | _WAIT_KILLABLE, _NEW_LISTENER):  # the second is known since Linux 5.19 only
        descriptor: int = _libc.syscall(known.seccomp, _SET_MODE_FILTER, flags, described)
        if descriptor >= 0:
            return descriptor
    return -1


class _Held(msgspec.Struct, frozen=True):
    """A call as the kernel tells of it."""

    identity: int
    thread: int
    number: int
    audit: int
    arguments: tuple[int, ...]


class HeldCalls:
    """Answers held calls from the event loop, for as long as a process with the filter lives."""

    def __init__(self, descriptor: int, answer: Answer, settled: Settled) -> None:
        self._descriptor = descriptor
        self._answer = answer
        self._settled = settled
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

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
        identity, thread, _, number, audit, _, *arguments = _NOTIFICATION.unpack(told)
        held = _Held(identity, thread, number, audit, tuple(arguments))
        if _is_for_a_socket(held):
            self._make_socket(held)
        else:
            self._ask(held)

    def _ask(self, held: _Held) -> None:
        path = _path_in(_address_of(held))
        call = UnixCall(held.thread, path) if path else None
        failure = 0
        try:
            failure = self._answer(call) if call else 0
        finally:
            was_answered = self._reply(held, failure)
        if call and was_answered:
            self._settled(call)

    def _make_socket(self, held: _Held) -> None:
        """Answer with a socket of ours: what the caller asked for may not be what the kernel would read."""
        failure = errno.EAFNOSUPPORT
        try:
            with _ordinary_socket(_words(held.thread, held.arguments[1])) as made:
                flags = fcntl.fcntl(made, fcntl.F_GETFD) & fcntl.FD_CLOEXEC and os.O_CLOEXEC
                given = struct.pack("=QIIII", held.identity, _AND_ANSWER, made.fileno(), 0, flags)
                fcntl.ioctl(self._descriptor, _GIVE_DESCRIPTOR, given)
                return
        except OSError as error:
            failure = error.errno or failure
        self._reply(held, failure)

    def _reply(self, held: _Held, failure: int) -> bool:
        """Fail it, or let it go on to the kernel. Whether the caller still waited."""
        return _send(self._descriptor, struct.pack("=QqiI", held.identity, 0, -failure, 0 if failure else _CONTINUE))


def _is_for_a_socket(held: _Held) -> bool:
    return _is_socketcall(held) and held.arguments[0] == SOCKETCALL_SOCKET


def _is_socketcall(held: _Held) -> bool:
    known = machine()
    return known is not None and held.number == known.numbers(held.audit).socketcall


def _address_of(held: _Held) -> bytes:
    """The address that a connect or sendto was given."""
    known, arguments = machine(), held.arguments
    if known is None:
        return b""
    is_connect = held.number == known.numbers(held.audit).connect
    if _is_socketcall(held):
        is_connect = arguments[0] == SOCKETCALL_CONNECT
        arguments = _words(held.thread, arguments[1])
    last = CONNECT_LENGTH if is_connect else SENDTO_LENGTH
    if len(arguments) <= last:
        return b""
    return _read(held.thread, arguments[last - 1], min(arguments[last], _ADDRESS_BYTES))


def _words(thread: int, address: int) -> tuple[int, ...]:
    """The arguments of a socketcall: as many as are there, at most six."""
    read = _read(thread, address, 24)
    return struct.unpack(f"={len(read) // 4}I", read[: len(read) // 4 * 4])


def _ordinary_socket(words: tuple[int, ...]) -> socket.socket:
    """A socket that needs no right of ours. Raises OSError where another one is asked for."""
    family, kind, protocol = words[:3] if len(words) >= 3 else (0, 0, 0)
    if family not in _ORDINARY:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
    if kind & _KIND not in _ORDINARY_KINDS or kind & ~(_KIND | _FLAGS):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))
    made = socket.socket(family, kind & (_KIND | os.O_NONBLOCK), protocol)
    made.set_inheritable(not kind & os.O_CLOEXEC)
    return made


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
