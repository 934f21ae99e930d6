"""Ways out of a jar under vacuum, as a service would try them. One table: what is tried, what stops it, what is seen.

    python tests/kernel/escapes.py            prints the table, as it stands in tests/README.md
    python tests/kernel/escapes.py try        tries each one here and now: one JSON line for each

`test_escapes` runs the second inside a jar of the lab `checkout` with everything cut, name service too.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import mmap
import os
import resource
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from narrow import PRLIMIT, SOCKET, SOCKETCALL, address_of, memory, narrow_call, socketcall

HOST4, HOST6, PORT = "10.77.1.11", "fd77:1::11", 9000
"""auth.lab."""
NAMES, TIME = "10.77.1.53", ("10.77.1.17", 123)
WAIT_S = 1.0
_NEWUSER, _NEWNS, _NEWNET = 0x10000000, 0x00020000, 0x40000000
_PTRACE_ATTACH = 16
_IOPRIO_SET, _KCMP = {"x86_64": 251, "aarch64": 30}, {"x86_64": 312, "aarch64": 272}
_libc = ctypes.CDLL(None, use_errno=True)


class Escape(NamedTuple):
    tried: str
    stops: str
    seen: str
    attempt: Callable[[], str]
    """Its result; raises OSError where it was stopped. Whatever it returns got out."""
    blocked: str = ""
    """The dependency that the blocked call must be counted against."""


def _checked(result: int, what: str) -> int:
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


def _tcp4() -> str:
    return _connect()


def _tcp6() -> str:
    return _connect(socket.AF_INET6, host=HOST6)


def _mptcp() -> str:
    return _connect(protocol=262)


def _fast_open() -> str:
    with socket.socket() as out:  # it waits: in vacuum for the refusal
        out.sendto(b"x\n", 0x20000000, (HOST4, PORT))  # MSG_FASTOPEN
        return "connected"


def _udp() -> str:
    return _talk(0, TIME, bytes([0x1B]) + bytes(47))


def _fragments() -> str:
    return _talk(0, TIME, bytes([0x1B]) + bytes(30_000))


def _other_protocol() -> str:
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


def _other_name_server() -> str:
    return _resolve(socket.SOCK_DGRAM, b"")


def _names_over_tcp() -> str:
    return _resolve(socket.SOCK_STREAM, struct.pack(">H", len(_query())))


def _ping() -> str:
    return _talk(socket.IPPROTO_ICMP, (HOST4, 0), struct.pack(">BBHHH", 8, 0, 0, 1, 1))


def _ping6() -> str:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6) as out:
        out.settimeout(WAIT_S)
        out.sendto(struct.pack(">BBHHH", 128, 0, 0, 1, 1), (HOST6, 0))
        return repr(out.recv(64))


def _by_interface() -> str:
    with socket.socket() as out:
        out.settimeout(WAIT_S)
        out.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"world")
        out.connect((HOST4, PORT))
        return "connected"


def _broadcast() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.settimeout(WAIT_S)
        out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        out.sendto(b"x", ("10.77.0.255", 123))
        return repr(out.recv(64))


def _agents_mark() -> str:
    with socket.socket() as out:
        out.settimeout(WAIT_S)
        out.setsockopt(socket.SOL_SOCKET, 36, 0xBE11)  # SO_MARK: whatever mark, it may not be set
        out.connect((HOST4, PORT))
        return "marked"


def _raw() -> str:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP).close()
    return "a raw socket"


def _packet() -> str:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)).close()
    return "a packet socket"


def _in_new_spaces(flags: int) -> None:
    _checked(_libc.unshare(flags), "unshare")


def _new_network() -> str:
    _in_new_spaces(_NEWUSER | _NEWNET)
    return _tcp4()


def _nested_root_deletes_the_table() -> str:
    with contextlib.suppress(OSError):
        _in_new_spaces(_NEWUSER)
    return _delete_table()


def _delete_table() -> str:
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
    return _tcp4()


def _acknowledged(answer: bytes) -> None:
    (number,) = struct.unpack_from("=i", answer, 16)
    if number:
        raise OSError(-number, os.strerror(-number), "netlink")


def _route_message(kind: int, body: bytes) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as route:
        route.settimeout(WAIT_S)
        route.sendto(struct.pack("=IHHII", 16 + len(body), kind, 5, 1, 0) + body, (0, 0))
        _acknowledged(route.recv(4096))


def _interface_down() -> str:
    _route_message(
        16, struct.pack("=BxHiII", 0, 0, socket.if_nametoindex("world"), 0, 1)
    )  # RTM_NEWLINK, without IFF_UP
    return "it is down"


def _change_route() -> str:
    _route_message(25, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 0, 0, 0, 0))  # RTM_DELROUTE
    return "a route is gone"


def _write(path: str, words: str) -> str:
    with open(path, "r+") as file:  # noqa: PTH123  # write_text would truncate, which kernel settings refuse
        file.write(words)
    return f"wrote to {path}"


def _setting() -> str:
    return _write("/proc/sys/net/ipv4/ip_forward", "1")


def _setting_on_a_new_proc() -> str:
    _in_new_spaces(_NEWUSER | _NEWNS)
    _checked(_libc.mount(b"proc", b"/proc", b"proc", 0, None), "mount")
    return _setting()


def _setting_uncovered() -> str:
    _in_new_spaces(_NEWUSER | _NEWNS)
    _checked(_libc.umount2(b"/proc/sys", 2), "umount")
    return _setting()


def _mount_over() -> str:
    _checked(_libc.mount(b"/dev/null", b"/etc/resolv.conf", b"", 0x1000, None), "mount")
    return "mounted"


def _uncover_the_resolver() -> str:
    _checked(_libc.umount2(os.fsencode(os.path.realpath("/etc/resolv.conf")), 2), "umount")
    return "uncovered"


def _trace() -> str:
    _checked(_libc.ptrace(_PTRACE_ATTACH, 1, 0, 0), "ptrace")
    return "attached"


def _agents_memory() -> str:
    with Path("/proc/1/mem").open("rb") as memory:
        return repr(memory.read(1))


def _agents_files() -> str:
    found = os.listdir("/proc/1/fd")
    return _write(f"/proc/1/fd/{found[0]}", "x")


def _copy_of_agents_file() -> str:
    agent = os.pidfd_open(1)
    return str(_checked(_libc.syscall(438, agent, 0, 0), "pidfd_getfd"))


def _enter(kind: str) -> str:
    with Path(f"/proc/1/ns/{kind}").open("rb") as space:
        _checked(_libc.setns(space.fileno(), 0), "setns")
    return _tcp4()


def _enter_through_the_pid() -> str:
    _checked(_libc.setns(os.pidfd_open(1), _NEWNET), "setns")
    return _tcp4()


def _agents_root() -> str:
    return repr(os.listdir("/proc/1/root/"))


def _kill(number: int) -> Callable[[], str]:
    def attempt() -> str:
        os.kill(1, number)
        return _tcp4()  # the agent is PID 1 here, and the kernel does not deliver to it what it does not ask for

    return attempt


def _agents_limits() -> str:
    """An agent that may open no more files would see nothing."""
    soft, hard = resource.prlimit(1, resource.RLIMIT_NOFILE)
    resource.prlimit(1, resource.RLIMIT_NOFILE, (soft - 1, hard - 1))
    return "lowered"


def _agents_processor() -> str:
    os.sched_setaffinity(1, {min(os.sched_getaffinity(0))})
    return "bound to one"


def _agents_scheduling() -> str:
    os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0))
    return "only when nobody else wants to"


def _agents_priority() -> str:
    before = os.getpriority(os.PRIO_PROCESS, 1)
    for which, whose in ((os.PRIO_PROCESS, 1), (os.PRIO_USER, os.getuid())):
        with contextlib.suppress(PermissionError):
            os.setpriority(which, whose, 19)
    if os.getpriority(os.PRIO_PROCESS, 1) == before:
        raise OSError(errno.EPERM, "it is what it was")
    return "lowered"


def _agents_io_priority() -> str:
    _checked(_libc.syscall(_IOPRIO_SET[os.uname().machine], 1, 1, 3 << 13), "ioprio_set")
    return "idle"


def _agents_limits_in_32_bits() -> str:
    limits = memory()
    limits[:16] = struct.pack("=QQ", 64, 64)
    narrow_call(PRLIMIT, 1, resource.RLIMIT_NOFILE, address_of(limits))
    return "lowered"


def _agents_pages() -> str:
    there = ctypes.create_string_buffer(struct.pack("=QQ", 0, 4096))
    _checked(_libc.syscall(440, os.pidfd_open(1), there, 1, 20, 0), "process_madvise")
    return "sent away"


def _compare_with_agent() -> str:
    _checked(_libc.syscall(_KCMP[os.uname().machine], 1, os.getpid(), 0, 0, 0), "kcmp")
    return "compared"


def _kill_by_pidfd() -> str:
    signal.pidfd_send_signal(os.pidfd_open(1), signal.SIGKILL)
    return _tcp4()


def _host_of_the_machine() -> str:
    with socket.socket(40, socket.SOCK_STREAM) as out:  # AF_VSOCK
        out.settimeout(WAIT_S)
        try:
            out.connect((2, 1))
        except ConnectionResetError:
            return "the host answered: nobody listens there"
        return "connected"


def _ring_of_vsock() -> str:
    """io_uring's own way to make a socket: an entry in shared memory, which no filter of system calls sees."""
    described = ctypes.create_string_buffer(120)  # struct io_uring_params
    ring = _checked(_libc.syscall(425, 4, described), "io_uring_setup")
    (tail_at,) = struct.unpack_from("=I", described, 44)
    (array_at,) = struct.unpack_from("=I", described, 64)
    (entries_at,) = struct.unpack_from("=I", described, 100)
    with mmap.mmap(ring, 4096) as shared, mmap.mmap(ring, 4096, offset=0x10000000) as entries:
        entries[:64] = struct.pack("=BBHiQQI36x", 45, 0, 0, 40, socket.SOCK_STREAM, 0, 0)  # IORING_OP_SOCKET
        shared[array_at : array_at + 4] = bytes(4)
        shared[tail_at : tail_at + 4] = struct.pack("=I", 1)
        _checked(_libc.syscall(426, ring, 1, 1, 1, None, 0), "io_uring_enter")
        (result,) = struct.unpack_from("=i", shared, entries_at + 8)
    if result < 0:
        raise OSError(-result, os.strerror(-result), "IORING_OP_SOCKET")
    return f"a socket of family {socket.socket(fileno=result).family}"


def _vsock_in_32_bits() -> str:
    return f"descriptor {narrow_call(SOCKET, 40, socket.SOCK_STREAM, 0)}"


def _vsock_by_socketcall() -> str:
    return f"descriptor {socketcall(1, 40, socket.SOCK_STREAM, 0)}"


def _socketcall_that_changes() -> str:
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


def _x32() -> str:
    return f"descriptor {_checked(_libc.syscall(0x40000000 + 41, 40, socket.SOCK_STREAM, 0), 'socket')}"


def _abstract_socket() -> str:
    with socket.socket(socket.AF_UNIX) as out:
        out.connect("\0belljar-escape-witness")
        return "connected"


AUTH = f"tcp://{HOST4}:{PORT}"
_RULES = "the seal: the kernel's table, which only the agent may change"
_RIGHTS = "no capability over the jar's network: the service lives in a user namespace below"
_FENCED = "the agent is not dumpable, and of another user namespace"
_MOUNTS = "no capability over the jar's mounts; in namespaces of its own the kernel has them locked"
_HANDS_OFF = "such calls about PID 1 are refused"
_FAMILIES = "families past every table cannot be made"
_ROW = "a blocked call, at its row"
_ERROR = "the service has the error; nothing went out"

ESCAPES = {
    "tcp": Escape("a connection by address", _RULES, _ROW, _tcp4, AUTH),
    "ipv6": Escape("IPv6", _RULES, _ROW, _tcp6, f"tcp://[{HOST6}]:{PORT}"),
    "mptcp": Escape("multipath TCP", _RULES, _ROW, _mptcp, AUTH),
    "fast open": Escape("TCP fast open: data in the first packet", _RULES, _ROW, _fast_open, AUTH),
    "udp": Escape("a datagram", _RULES, _ROW, _udp, f"udp://{TIME[0]}:{TIME[1]}"),
    "fragments": Escape("a datagram in fragments", _RULES, _ROW, _fragments, f"udp://{TIME[0]}:{TIME[1]}"),
    "protocol": Escape("another protocol: UDP-Lite", _RULES, _ERROR, _other_protocol),
    "ping": Escape("a ping", _RULES, _ROW, _ping, f"icmp://{HOST4}"),
    "ping6": Escape("a ping over IPv6", _RULES, _ROW, _ping6, f"icmp://[{HOST6}]"),
    "device": Escape("the interface chosen by name", _RULES, _ROW, _by_interface, AUTH),
    "broadcast": Escape("a broadcast", _RULES, _ROW, _broadcast, "udp://10.77.0.255:123"),
    "name server": Escape("another DNS server", "every query goes to the agent", _ROW, _other_name_server, "dns:"),
    "dns over tcp": Escape("DNS over TCP", "every query goes to the agent", _ROW, _names_over_tcp, "dns:"),
    "mark": Escape("the mark of the agent's own packets", _RIGHTS, _ERROR, _agents_mark),
    "raw": Escape("a raw socket", _RIGHTS, _ERROR, _raw),
    "packet": Escape("a packet socket", _RIGHTS, _ERROR, _packet),
    "new network": Escape("a network namespace of its own", "it leads nowhere", _ERROR, _new_network),
    "table": Escape("deleting the table", _RIGHTS, _ERROR, _delete_table),
    "nested": Escape("the same as root of a nested user namespace", _RIGHTS, _ERROR, _nested_root_deletes_the_table),
    "interface": Escape("taking the interface down", _RIGHTS, _ERROR, _interface_down),
    "route": Escape("changing routes", _RIGHTS, _ERROR, _change_route),
    "settings": Escape("`/proc/sys/net`", "it is mounted read-only", _ERROR, _setting),
    "new proc": Escape("a `/proc` of its own", _MOUNTS, _ERROR, _setting_on_a_new_proc),
    "uncover": Escape("unmounting what covers `/proc/sys`", _MOUNTS, _ERROR, _setting_uncovered),
    "mount": Escape("mounting over a file", _MOUNTS, _ERROR, _mount_over),
    "resolver": Escape("unmounting the resolver's file", _MOUNTS, _ERROR, _uncover_the_resolver),
    "ptrace": Escape("tracing the agent", _FENCED, _ERROR, _trace),
    "memory": Escape("the agent's memory", _FENCED, _ERROR, _agents_memory),
    "pipes": Escape("writing to the agent's pipes", _FENCED, _ERROR, _agents_files),
    "descriptor": Escape("taking a descriptor of the agent", _FENCED, _ERROR, _copy_of_agents_file),
    "net of 1": Escape("entering `/proc/1/ns/net`", _FENCED, _ERROR, lambda: _enter("net")),
    "mnt of 1": Escape("entering `/proc/1/ns/mnt`", _FENCED, _ERROR, lambda: _enter("mnt")),
    "pidfd": Escape("entering the agent's network by its pidfd", _FENCED, _ERROR, _enter_through_the_pid),
    "root of 1": Escape("looking through `/proc/1/root`", _FENCED, _ERROR, _agents_root),
    "kill": Escape("`kill -9` of the agent", "it is PID 1, deaf to its own jar", _ROW, _kill(signal.SIGKILL), AUTH),
    "stop": Escape("stopping the agent", "it is PID 1, deaf to its own jar", _ROW, _kill(signal.SIGSTOP), AUTH),
    "kill by pidfd": Escape(
        "`kill -9` of the agent by its pidfd", "it is PID 1, deaf to its own jar", _ROW, _kill_by_pidfd, AUTH
    ),
    "limits": Escape("lowering the agent's limits", _HANDS_OFF, _ERROR, _agents_limits),
    "limits in 32 bits": Escape("the same as a 32-bit program", _HANDS_OFF, _ERROR, _agents_limits_in_32_bits),
    "processor": Escape("binding the agent to one processor", _HANDS_OFF, _ERROR, _agents_processor),
    "scheduling": Escape("letting the agent run only when idle", _HANDS_OFF, _ERROR, _agents_scheduling),
    "priority": Escape("lowering the agent's priority", _HANDS_OFF, _ERROR, _agents_priority),
    "io priority": Escape("lowering its priority at the disk", _HANDS_OFF, _ERROR, _agents_io_priority),
    "pages": Escape("sending the agent's memory away", _FENCED, _ERROR, _agents_pages),
    "compare": Escape("comparing its descriptors with one's own", _FENCED, _ERROR, _compare_with_agent),
    "vsock": Escape("a socket to a virtual machine's host", _FAMILIES, _ERROR, _host_of_the_machine),
    "io_uring": Escape("the same through io_uring", "there is no io_uring in a jar", _ERROR, _ring_of_vsock),
    "32 bits": Escape("the same as a 32-bit program", _FAMILIES, _ERROR, _vsock_in_32_bits),
    "socketcall": Escape("the same through `socketcall`", _FAMILIES, _ERROR, _vsock_by_socketcall),
    "changing": Escape(
        "the same, asking for another one first", "the agent makes such sockets", _ERROR, _socketcall_that_changes
    ),
    "x32": Escape("the same as an x32 program", "there are no x32 programs in a jar", _ERROR, _x32),
    "abstract": Escape("an abstract Unix socket", "they belong to the network namespace", _ERROR, _abstract_socket),
}


def table() -> str:
    """The table in Markdown."""
    rows = [f"| {one.tried} | {one.stops} | {one.seen} |" for one in ESCAPES.values()]
    return "\n".join(["| tried | what stops it | what you see |", "|---|---|---|", *rows])


def _try(name: str) -> dict[str, object]:
    """Try one in a process of its own."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)
        try:
            said: dict[str, object] = {"got_out": True, "said": ESCAPES[name].attempt()}
        except OSError as error:
            said = {"got_out": False, "said": errno.errorcode.get(error.errno or 0, str(error))}
        os.write(write, json.dumps({"escape": name, **said}).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        line = pipe.read()
    os.waitpid(pid, 0)
    result = json.loads(line) if line else {"escape": name, "got_out": False, "said": "it was ended"}
    return {**result, "pid": pid}


def main() -> None:
    if sys.argv[1:] != ["try"]:
        print(table())
        return
    for name in ESCAPES:
        print(json.dumps(_try(name)), flush=True)
    print(json.dumps({"escape": "", "got_out": False, "said": "all tried"}), flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
