"""The seccomp filter of the service: which system calls are held, and which do not exist for it.

A filter sees numbers, not what pointers lead to, so it cannot know the address family of a connect or sendto. It knows
the address's length, though: calls with one as long as an IPv4 or IPv6 address (16 and 28 bytes) pass unheld, so that
TCP and UDP are not slowed (measured: 25 µs a call otherwise). sendmsg(2) hides its address wholly.

The same filter refuses sockets whose traffic no ruleset sees, however they are asked for:

- socket(2), by its family, of this machine's programs and of 32-bit ones.
- socketcall(2), by which older 32-bit programs make theirs, has its arguments in memory, where another thread could
  change them after we have looked. It is held, and answered with a socket that we make; the kernel reads nothing again.
- io_uring makes and connects sockets without a system call that a filter sees. There is no io_uring here, as under
  Docker's own filter; whoever can do without is told what a kernel without it would say (ENOSYS).
- x32, a third way to number system calls, does not exist here either.

And it keeps the service's hands off the agent, PID 1 of its namespace, where the kernel asks for no more than the same
user: limits (an agent that may open no file sees nothing), scheduling, priorities. (A thread of the agent's would have
another number; it has one only where a health check is at a name.)

Layouts: linux/seccomp.h, linux/audit.h; numbers: the kernel's syscall tables, linux/net.h for socketcall.
"""

from __future__ import annotations

import errno
import platform
import struct

import msgspec


class Numbers(msgspec.Struct, frozen=True):
    """How programs of one kind number the system calls that matter here."""

    audit: int
    """The kind, as the kernel tells it."""
    connect: int
    sendto: int
    socket: int
    prlimit: int
    scheduling: tuple[int, ...]
    """sched_setaffinity, sched_setscheduler, sched_setparam, sched_setattr."""
    setpriority: int
    ioprio_set: int
    socketcall: int = -1
    io_uring_setup: int = 425


class Machine(msgspec.Struct, frozen=True):
    own: Numbers
    narrow: Numbers
    """Of its 32-bit programs."""
    seccomp: int
    first_unknown: int = 0
    """From this number on they are not its own (x32); 0: all are."""

    def numbers(self, audit: int) -> Numbers:
        return self.narrow if audit == self.narrow.audit else self.own


_X86_64 = Numbers(0xC000003E, 42, 44, 41, 302, (203, 144, 142, 314), 141, 251)
_I386 = Numbers(0x40000003, 362, 369, 359, 340, (241, 156, 154, 351), 97, 289, socketcall=102)
_ARM64 = Numbers(0xC00000B7, 203, 206, 198, 261, (122, 119, 118, 274), 140, 30)
_ARM = Numbers(0x40000028, 283, 290, 281, 369, (241, 156, 154, 380), 97, 314)
MACHINES = {
    "x86_64": Machine(_X86_64, _I386, 317, first_unknown=1 << 30),
    "aarch64": Machine(_ARM64, _ARM, 277),
}
"""All little-endian."""
SOCKETCALL_SOCKET, SOCKETCALL_CONNECT, SOCKETCALL_SENDTO = 1, 3, 11
UNSEALED = (21, 27, 30, 31, 40, 42, 43)
"""RDS, InfiniBand, TIPC, Bluetooth, vsock (to the host of a virtual machine), QIPCRTR, SMC: past every ruleset."""
_AGENT = 1
"""Its PID in the service's eyes."""
_PRIORITY_OF, _IO_PRIORITY_OF = (0, 2), (1, 3)
"""Whom setpriority and ioprio_set mean: one process, or all of a user's."""
CONNECT_LENGTH, SENDTO_LENGTH = 2, 5
"""Which argument is the address's length."""

_ALLOW, _NOTIFY, _FAIL = 0x7FFF0000, 0x7FC00000, 0x00050000
_LOAD, _SKIP_IF_NOT, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _AUDIT_AT, _ARGUMENTS_AT = 0, 4, 16
_IPV4, _IPV6, _NETLINK, _NONE = 16, 28, 12, 0


def machine() -> Machine | None:
    """This one; None where we do not know its system calls by number."""
    return MACHINES.get(platform.machine())


def program(of: Machine) -> bytes:
    """The filter as instructions of 8 bytes."""
    own = _of_kind(of.own)
    own = _instruction(_IF_AT_LEAST, of.first_unknown, 0, 1) + _give(_FAIL | errno.ENOSYS) + own
    if of.first_unknown >= 1 << 32:
        own = own[16:]
    kinds = ((of.own, own), (of.narrow, _of_kind(of.narrow)))
    return (
        _load(_AUDIT_AT)
        + b"".join(_when(each.audit, _load(_NUMBER_AT) + body) for each, body in kinds)
        + _give(_FAIL | errno.ENOSYS)
    )


def _of_kind(numbers: Numbers) -> bytes:
    return (
        _hold(numbers.connect, CONNECT_LENGTH, (_IPV4, _IPV6))
        + _hold(numbers.sendto, SENDTO_LENGTH, (_NONE, _NETLINK, _IPV4, _IPV6))
        + _refuse(numbers.socket)
        + (_hold_socketcall(numbers.socketcall) if numbers.socketcall >= 0 else b"")
        + _when(numbers.io_uring_setup, _NOT_HERE)
        + _keep_limits(numbers.prlimit)
        + b"".join(_when(call, _of_agent(0)) for call in numbers.scheduling)
        + _keep_priority(numbers.setpriority, *_PRIORITY_OF)
        + _keep_priority(numbers.ioprio_set, *_IO_PRIORITY_OF)
        + _give(_ALLOW)
    )


def _instruction(code: int, value: int, when: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when, otherwise, value & 0xFFFFFFFF)


def _load(at: int) -> bytes:
    return _instruction(_LOAD, at)


def _give(action: int) -> bytes:
    return _instruction(_RETURN, action)


_NOT_HERE, _NOT_YOURS = _give(_FAIL | errno.ENOSYS), _give(_FAIL | errno.EPERM)


def _when(value: int, body: bytes) -> bytes:
    """Go through `body` when what was loaded is `value`, else past it."""
    return _instruction(_SKIP_IF_NOT, value, 0, len(body) // 8) + body


def _hold(call: int, argument: int, quiet: tuple[int, ...]) -> bytes:
    """Hold a call with an address, unless it has one of these lengths."""
    checks = b"".join(_when(length, _give(_ALLOW)) for length in quiet)
    return _when(call, _load(_ARGUMENTS_AT + 8 * argument) + checks + _give(_NOTIFY))


def _hold_socketcall(call: int) -> bytes:
    held = (SOCKETCALL_SOCKET, SOCKETCALL_CONNECT, SOCKETCALL_SENDTO)
    checks = b"".join(_when(each, _give(_NOTIFY)) for each in held)
    return _when(call, _load(_ARGUMENTS_AT) + checks + _give(_ALLOW))


def _refuse(call: int) -> bytes:
    """Make no socket that cannot be sealed."""
    checks = b"".join(_when(family, _give(_FAIL | errno.EAFNOSUPPORT)) for family in UNSEALED)
    return _when(call, _load(_ARGUMENTS_AT) + checks + _give(_ALLOW))


def _of_agent(argument: int) -> bytes:
    """Refuse it where it is about the agent."""
    return _load(_ARGUMENTS_AT + 8 * argument) + _when(_AGENT, _NOT_YOURS) + _give(_ALLOW)


def _keep_limits(call: int) -> bytes:
    """prlimit(pid, which, new, old): to read them is allowed."""
    new = _ARGUMENTS_AT + 8 * 2
    is_reading = _load(new) + _when(0, _load(new + 4) + _when(0, _give(_ALLOW)))
    return _when(call, _load(_ARGUMENTS_AT) + _when(_AGENT, is_reading + _NOT_YOURS) + _give(_ALLOW))


def _keep_priority(call: int, one_process: int, all_of_a_user: int) -> bytes:
    which = _when(one_process, _of_agent(1)) + _when(all_of_a_user, _NOT_YOURS)
    return _when(call, _load(_ARGUMENTS_AT) + which + _give(_ALLOW))
