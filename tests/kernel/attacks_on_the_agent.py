"""What a service might do to the agent, and to what the agent made: its table, routes and mounts.

Each returns what came of it, or raises OSError where it was stopped. `escapes` has them in its table.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import signal
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from calls_past_the_seal import NEWNET, NEWNS, NEWUSER, WAIT_S, checked, in_new_spaces, libc, tcp4
from narrow import PRLIMIT, address_of, memory, narrow_call

_PTRACE_ATTACH = 16
_IOPRIO_SET, _KCMP = {"x86_64": 251, "aarch64": 30}, {"x86_64": 312, "aarch64": 272}


def delete_as_nested_root() -> str:
    with contextlib.suppress(OSError):
        in_new_spaces(NEWUSER)
    return delete_table()


def delete_table() -> str:
    """One nftables batch: begin, delete table inet belljar, end; then the call that should go through."""
    name = b"belljar\0"
    attribute = struct.pack("=HH", 4 + len(name), 1) + name

    def message(kind: int, flags: int, family: int, resource: int, body: bytes = b"") -> bytes:
        head = struct.pack("=IHHII", 20 + len(body), kind, flags, 1, 0)
        return head + struct.pack("=BB", family, 0) + struct.pack(">H", resource) + body

    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netfilter:
        netfilter.settimeout(WAIT_S)
        netfilter.sendto(
            message(0x10, 1, 0, 10) + message((10 << 8) | 2, 5, 1, 0, attribute) + message(0x11, 1, 0, 10), (0, 0)
        )
        _acknowledged(netfilter.recv(4096))
    return tcp4()


def _acknowledged(answer: bytes) -> None:
    (number,) = struct.unpack_from("=i", answer, 16)
    if number:
        raise OSError(-number, os.strerror(-number), "netlink")


def _route_message(kind: int, body: bytes) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as route:
        route.settimeout(WAIT_S)
        route.sendto(struct.pack("=IHHII", 16 + len(body), kind, 5, 1, 0) + body, (0, 0))
        _acknowledged(route.recv(4096))


def interface_down() -> str:
    _route_message(
        16, struct.pack("=BxHiII", 0, 0, socket.if_nametoindex("world"), 0, 1)
    )  # RTM_NEWLINK, without IFF_UP
    return "it is down"


def change_route() -> str:
    _route_message(25, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 0, 0, 0, 0))  # RTM_DELROUTE
    return "a route is gone"


def _write(path: str, words: str) -> str:
    with open(path, "r+") as file:  # noqa: PTH123  # write_text would truncate, which kernel settings refuse
        file.write(words)
    return f"wrote to {path}"


def setting() -> str:
    return _write("/proc/sys/net/ipv4/ip_forward", "1")


def setting_on_a_new_proc() -> str:
    in_new_spaces(NEWUSER | NEWNS)
    checked(libc.mount(b"proc", b"/proc", b"proc", 0, None), "mount")
    return setting()


def setting_uncovered() -> str:
    in_new_spaces(NEWUSER | NEWNS)
    checked(libc.umount2(b"/proc/sys", 2), "umount")
    return setting()


def mount_over() -> str:
    checked(libc.mount(b"/dev/null", b"/etc/resolv.conf", b"", 0x1000, None), "mount")
    return "mounted"


def uncover_the_resolver() -> str:
    checked(libc.umount2(os.fsencode(os.path.realpath("/etc/resolv.conf")), 2), "umount")
    return "uncovered"


def trace() -> str:
    checked(libc.ptrace(_PTRACE_ATTACH, 1, 0, 0), "ptrace")
    return "attached"


def agents_memory() -> str:
    with Path("/proc/1/mem").open("rb") as memory:
        return repr(memory.read(1))


def agents_files() -> str:
    found = os.listdir("/proc/1/fd")
    return _write(f"/proc/1/fd/{found[0]}", "x")


def copy_of_agents_file() -> str:
    agent = os.pidfd_open(1)
    return str(checked(libc.syscall(438, agent, 0, 0), "pidfd_getfd"))


def enter(kind: str) -> str:
    with Path(f"/proc/1/ns/{kind}").open("rb") as space:
        checked(libc.setns(space.fileno(), 0), "setns")
    return tcp4()


def enter_through_the_pid() -> str:
    checked(libc.setns(os.pidfd_open(1), NEWNET), "setns")
    return tcp4()


def agents_root() -> str:
    return repr(os.listdir("/proc/1/root/"))


def kill(number: int) -> Callable[[], str]:
    def attempt() -> str:
        os.kill(1, number)
        return tcp4()  # the agent is PID 1 here, and the kernel does not deliver to it what it does not ask for

    return attempt


def agents_limits() -> str:
    """An agent that may open no more files would see nothing."""
    soft, hard = resource.prlimit(1, resource.RLIMIT_NOFILE)
    resource.prlimit(1, resource.RLIMIT_NOFILE, (soft - 1, hard - 1))
    return "lowered"


def agents_processor() -> str:
    os.sched_setaffinity(1, {min(os.sched_getaffinity(0))})
    return "bound to one"


def agents_scheduling() -> str:
    os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0))
    return "only when nobody else wants to"


def agents_priority() -> str:
    before = os.getpriority(os.PRIO_PROCESS, 1)
    for which, whose in ((os.PRIO_PROCESS, 1), (os.PRIO_USER, os.getuid())):
        with contextlib.suppress(PermissionError):
            os.setpriority(which, whose, 19)
    if os.getpriority(os.PRIO_PROCESS, 1) == before:
        raise OSError(errno.EPERM, "it is what it was")
    return "lowered"


def agents_io_priority() -> str:
    checked(libc.syscall(_IOPRIO_SET[os.uname().machine], 1, 1, 3 << 13), "ioprio_set")
    return "idle"


def agents_limits_in_32_bits() -> str:
    limits = memory()
    limits[:16] = struct.pack("=QQ", 64, 64)
    narrow_call(PRLIMIT, 1, resource.RLIMIT_NOFILE, address_of(limits))
    return "lowered"


def agents_pages() -> str:
    there = ctypes.create_string_buffer(struct.pack("=QQ", 0, 4096))
    checked(libc.syscall(440, os.pidfd_open(1), there, 1, 20, 0), "process_madvise")
    return "sent away"


def compare_with_agent() -> str:
    checked(libc.syscall(_KCMP[os.uname().machine], 1, os.getpid(), 0, 0, 0), "kcmp")
    return "compared"


def kill_by_pidfd() -> str:
    signal.pidfd_send_signal(os.pidfd_open(1), signal.SIGKILL)
    return tcp4()
